"""Field types of requests and responses: ids, counts and amounts of money."""
