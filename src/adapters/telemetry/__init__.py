"""What is going on in the consumers: measured for Prometheus, and told in the log."""
