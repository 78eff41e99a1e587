"""The privacy door: the only place that opens private rows for a model."""
