"""Apps for `gateway serve --app`."""

from gateway import create_app, load_settings

plain = create_app(load_settings(()), services=[], pipelines=[], on_trace=lambda _title, _trace: None)
