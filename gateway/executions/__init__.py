"""Executions: runs that write and can outlive their request, their journal, and their stored answers."""
