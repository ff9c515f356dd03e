"""What systems share: the base class, building, composition."""
