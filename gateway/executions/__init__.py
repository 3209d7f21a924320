"""Executions: runs that write and so can outlive their request; their journal, their answers, their retry."""
