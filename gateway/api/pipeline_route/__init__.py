"""The route of a pipeline: read and validate the request, run the pipeline, respond."""
