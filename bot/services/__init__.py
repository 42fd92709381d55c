"""The use-cases: ``intake`` takes what people ask, ``runner`` moves jobs until they are done."""
