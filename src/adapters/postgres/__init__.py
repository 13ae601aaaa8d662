"""PostgreSQL: the repositories, and a durable log for installations without Kafka."""
