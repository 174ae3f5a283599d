//! What a person may have meant.

/// Letters that a word may be off by: a third of its own, but these at least and at most.
const FARTHEST: (usize, usize) = (2, 3);

/// The longest word that is compared: the keys and names of descriptions are shorter.
const LONGEST: usize = 64;

/// Those of `known` that `word` is nearest to, three at the most: what has its pieces in it, then what is a few letters off.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let word = word.to_ascii_lowercase();
    let farthest = (word.len() / 3).clamp(FARTHEST.0, FARTHEST.1);
    let far = |one: &str| if has_pieces(one, &word) { 1 } else { distance(&word, one) };
    let mut ranked: Vec<(usize, &str)> = known.map(|one| (far(one), one)).filter(|&(far, _)| far <= farthest).collect();
    ranked.sort_unstable();
    ranked.into_iter().take(3).map(|(_, one)| one).collect()
}

/// Whether the words and numbers of `word` are all in `one`: those of `windows2022-64` are in `windows-server2022-64`.
fn has_pieces(one: &str, word: &str) -> bool {
    let words = word.split(|c: char| !c.is_ascii_alphabetic()).filter(|piece| !piece.is_empty());
    let mut numbers = word.split(|c: char| !c.is_ascii_digit()).filter(|piece| !piece.is_empty());
    let mut telling = words.clone().filter(|piece| piece.len() > 2);
    telling.next().is_some()
        && words.clone().all(|piece| one.contains(piece))
        && numbers.all(|piece| one.contains(piece))
}

/// Letters to put in, take out or change until `one` is `other`; more than any limit for words that are too long.
fn distance(one: &str, other: &str) -> usize {
    if one.len() > LONGEST || other.len() > LONGEST {
        return usize::MAX;
    }
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, a) in one.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        for (above, &b) in row.iter_mut().skip(1).zip(&other) {
            let cost = (diagonal + usize::from(a != b)).min(left + 1).min(*above + 1);
            diagonal = std::mem::replace(above, cost);
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshtein_s() {
        for (one, other, letters) in [("", "abc", 3), ("abc", "abc", 0), ("kitten", "sitting", 3), ("flaw", "lawn", 2)]
        {
            assert_eq!(distance(one, other), letters);
            assert_eq!(distance(other, one), letters);
        }
    }

    #[test]
    fn the_nearest_come_first() {
        let known = ["debian10-64", "debian12-64", "ubuntu-64"];
        assert_eq!(nearest("debian12_64", known.into_iter()), ["debian12-64", "debian10-64"]);
        assert_eq!(nearest("windows", known.into_iter()), [""; 0]);
        let windows = ["windows10-64", "windows-server2022-64"];
        assert_eq!(nearest("windows2022-64", windows.into_iter()).first(), Some(&"windows-server2022-64"));
        assert_eq!(nearest("ubu", known.into_iter()), ["ubuntu-64"]);
    }
}
