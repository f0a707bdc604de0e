"""How good masks are: DAVIS region and boundary scores, per-object scores, false alarms, throughput."""
