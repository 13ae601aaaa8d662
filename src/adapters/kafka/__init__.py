"""The message bus on Apache Kafka, by kafka-python.

`bus.KafkaBus` is the port; `topics.create_topics` prepares a cluster. What kafka-python 3.0.12 does
that the rest of this package has to work around is written down in docs/decisions/kafka-python.md.
"""
