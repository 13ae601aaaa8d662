"""FastAPI on the driving side: the events API, the bets API and the consumers' health."""
