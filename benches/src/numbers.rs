//! Medians and ranges.

/// The middle of `values`, or the mean of the two in the middle; zero of none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 if middle > 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values.get(middle).copied().unwrap_or(0.0),
    }
}

/// The least and the most of `values`; zeros of none.
pub(crate) fn range(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    values
        .into_iter()
        .fold(None, |seen: Option<(f64, f64)>, value| {
            Some(seen.map_or((value, value), |(least, most)| (least.min(value), most.max(value))))
        })
        .unwrap_or((0.0, 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_does_not_depend_on_the_order() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median([7.0]), 7.0);
        assert_eq!(median([]), 0.0);
    }

    #[test]
    fn a_range_has_both_ends() {
        assert_eq!(range([3.0, 1.0, 2.0]), (1.0, 3.0));
        assert_eq!(range([]), (0.0, 0.0));
    }
}
