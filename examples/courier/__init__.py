"""A courier's gateway, in front of a payment provider, a geocoder and a help desk."""
