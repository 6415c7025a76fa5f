"""What becomes of the rounds of a benchmark: medians, and ratios within a round."""
import statistics


def median(values):
    """Of what there is; None of nothing."""
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def ratios(ours, theirs):
    """Round by round: what disturbs the machine in a round disturbs both.
    A round that lacks one of them counts for nothing."""
    return [mine / other for mine, other in zip(ours, theirs) if mine is not None and other]


def spread(values):
    """Half of the values lie within: the distance of the quartiles, as a part of the median."""
    values = [value for value in values if value is not None]
    if len(values) < 2 or not statistics.median(values):
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / statistics.median(values)


def is_met(value, relation, bound):
    """True or False; None without a value."""
    if value is None:
        return None
    return {"<=": value <= bound, ">=": value >= bound, "<": value < bound}[relation]
