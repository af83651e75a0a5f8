//! The order of versions and delete markers in a list.
//!
//! S3 lists versions and delete markers of a key in one order, newest first. The protocol layer
//! writes all markers and then all versions. This module reorders the entries of its document.

const KINDS: [(&str, &str); 2] =
    [("<Version>", "</Version>"), ("<DeleteMarker>", "</DeleteMarker>")];

/// Puts the entries of a document in order, all at the place of the first one. `are_markers` says
/// of each whether it is a delete marker. Returns `None` if the document has other entries.
pub(crate) fn interleave(document: &str, are_markers: &[bool]) -> Option<String> {
    let (mut others, mut versions, mut markers) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = document;
    while let Some(start) = KINDS.iter().filter_map(|(open, _)| rest.find(open)).min() {
        let (other, entry) = rest.split_at(start);
        let (_, close) = KINDS.iter().find(|(open, _)| entry.starts_with(open))?;
        let (entry, after) = entry.split_at(entry.find(close)? + close.len());
        if entry.starts_with(KINDS[0].0) {
            versions.push(entry);
        } else {
            markers.push(entry);
        }
        others.push(other);
        rest = after;
    }
    others.push(rest);
    let (mut versions, mut markers) = (versions.into_iter(), markers.into_iter());
    let mut others = others.into_iter();
    let mut ordered: String = others.next()?.to_owned();
    for of_marker in are_markers {
        ordered.push_str(if *of_marker { markers.next()? } else { versions.next()? });
    }
    ordered.extend(others);
    (ordered.len() == document.len()).then_some(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_go_where_they_belong() {
        let document = "<L><DeleteMarker>m1</DeleteMarker><DeleteMarker>m2</DeleteMarker><K>x</\
                        K><Version>v1</Version><Version>v2</Version></L>";
        assert_eq!(
            interleave(document, &[false, true, false, true]).unwrap(),
            "<L><Version>v1</Version><DeleteMarker>m1</DeleteMarker><Version>v2</\
             Version><DeleteMarker>m2</DeleteMarker><K>x</K></L>"
        );
        assert_eq!(interleave("<L></L>", &[]).unwrap(), "<L></L>");
    }

    #[test]
    fn a_document_with_other_entries_is_left_alone() {
        let document = "<L><Version>v1</Version></L>";
        for wrong in [&[true][..], &[], &[false, false]] {
            assert_eq!(interleave(document, wrong), None, "{wrong:?}");
        }
    }
}
