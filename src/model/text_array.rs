//! Arrays of text as Postgres stores them, put together without a value for each element.

/// pg_type.oid of text.
const TEXT: u32 = 25;
/// Without the length in front: dimensions, where the elements begin, their type.
const HEAD: usize = 12;
const LENGTH: usize = 4;
/// Of one dimension: how many elements, the number of the first.
const DIMENSION: usize = 8;

fn aligned(size: usize, to: usize) -> usize {
    size.next_multiple_of(to)
}

/// The array without its varlena header.
pub fn text_array<'a, I>(texts: I) -> Vec<u8>
where
    I: ExactSizeIterator<Item = Option<&'a str>> + Clone,
{
    let count = texts.len();
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_ne_bytes();
    let mut array = Vec::new();
    if count == 0 {
        [0, 0, TEXT].iter().for_each(|n| array.extend_from_slice(&n.to_ne_bytes()));
        return array;
    }
    let has_nulls = texts.clone().any(|text| text.is_none());
    let bitmap = if has_nulls { count.div_ceil(8) } else { 0 };
    let start = aligned(LENGTH + HEAD + DIMENSION + bitmap, 8);
    array.reserve(start + texts.clone().flatten().map(|text| aligned(LENGTH + text.len(), 4)).sum::<usize>());
    for n in [number(1), number(if has_nulls { start } else { 0 }), TEXT.to_ne_bytes(), number(count), number(1)] {
        array.extend_from_slice(&n);
    }
    let mut is_there = vec![0u8; bitmap];
    if has_nulls {
        texts
            .clone()
            .enumerate()
            .filter(|(_, text)| text.is_some())
            .for_each(|(at, _)| is_there[at / 8] |= 1 << (at % 8));
    }
    array.extend_from_slice(&is_there);
    array.resize(start - LENGTH, 0);
    for text in texts.flatten() {
        let size = u32::try_from(LENGTH + text.len()).unwrap_or(u32::MAX);
        let size = if cfg!(target_endian = "little") { size << 2 } else { size };
        array.extend_from_slice(&size.to_ne_bytes());
        array.extend_from_slice(text.as_bytes());
        // The alignment counts from the start of the value, which has four bytes more in front.
        array.resize(aligned(array.len(), 4), 0);
    }
    array
}

// That Postgres reads them as they were meant: tests/audit/bulk.rs.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_begin_at_multiples_of_four() {
        let array = text_array([Some("a"), Some("bcdef")].into_iter());
        assert_eq!(array.len(), 20 + 8 + 12);
        assert_eq!(&array[20 + 8 + 4..20 + 8 + 9], b"bcdef");
        assert_eq!(text_array([].into_iter()).len(), HEAD);
    }

    #[test]
    fn nulls_are_bits() {
        let array = text_array([None, Some("a"), None].into_iter());
        assert_eq!(array[20], 2);
        assert_eq!(array.len(), 28 + 8);
        assert_eq!(array[4..8], 32u32.to_ne_bytes());
    }
}
