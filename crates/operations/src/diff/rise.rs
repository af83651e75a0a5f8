//! The longest common subsequence of two arrays whose equal elements are paired.

/// Returns the places of a longest rising part of a list of different numbers: of the elements that
/// two arrays share, those that are in the same order in both.
pub(crate) fn longest_rise(numbers: &[usize]) -> Vec<usize> {
    // For each length, the place of the least number at which a part of this length ends.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::new();
    for (place, number) in numbers.iter().enumerate() {
        let length = ends.partition_point(|end| numbers.get(*end) < Some(number));
        before.push(length.checked_sub(1).and_then(|last| ends.get(last)).copied());
        match ends.get_mut(length) {
            Some(end) => *end = place,
            None => ends.push(place),
        }
    }
    let mut rise: Vec<usize> =
        std::iter::successors(ends.last().copied(), |place| before.get(*place).copied().flatten())
            .collect();
    rise.reverse();
    rise
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_rising_part_is_found() {
        for (numbers, expected) in [
            (vec![], vec![]),
            (vec![5], vec![0]),
            (vec![2, 0, 1], vec![1, 2]),
            (vec![0, 8, 4, 12, 2, 10, 6, 14, 1, 9], vec![0, 4, 6, 9]),
        ] {
            let found = longest_rise(&numbers);
            let values =
                |places: &[usize]| places.iter().map(|at| numbers[*at]).collect::<Vec<_>>();
            assert_eq!(values(&found), values(&expected), "{numbers:?}");
        }
    }
}
