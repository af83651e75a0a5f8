//! Replies to a request for the first bytes of an object.

/// Returns the size of the whole object in bytes, from the header `Content-Range` of the reply and
/// the length of its body. A store that ignores the range sends the whole object without that
/// header. `None` if the reply does not say which bytes it has.
pub fn whole_size(content_range: Option<&str>, length: Option<u64>) -> Option<u64> {
    let Some(range) = content_range else { return length };
    // `bytes 0-4095/18204`
    let (last, size) = range.strip_prefix("bytes 0-")?.split_once('/')?;
    let (last, size) = (last.parse::<u64>().ok()?, size.parse().ok()?);
    (last.checked_add(1) == length && last < size).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_that_of_the_whole_object_and_of_no_other_part() {
        assert_eq!(whole_size(Some("bytes 0-4095/18204"), Some(4096)), Some(18204));
        assert_eq!(whole_size(Some("bytes 0-299/300"), Some(300)), Some(300));
        assert_eq!(whole_size(None, Some(300)), Some(300), "the store ignored the range");
        assert_eq!(whole_size(None, None), None);
        for range in [
            "bytes 1-4096/18204",
            "bytes 0-4000/18204",
            "bytes 0-4095/*",
            "bytes 0-4095/4095",
            "bytes 0-18446744073709551615/1",
            "0-4095/18204",
            "",
        ] {
            assert_eq!(whole_size(Some(range), Some(4096)), None, "{range}");
        }
    }
}
