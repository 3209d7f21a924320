"""`gateway executions`: lists the executions of a running gateway, shows one, and retries its undos.

- `command`: the arguments, and what each action prints.
- `operator_client`: requests to the gateway's operator endpoints.
- `table`: executions as text.
"""
