"""Python source from described queries. Pure but for writing."""
