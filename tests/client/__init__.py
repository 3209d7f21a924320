"""Tests of the client, over scripted transports."""
