"""Executions: runs that write and can outlive their request, with their journal, stored answers and retry."""
