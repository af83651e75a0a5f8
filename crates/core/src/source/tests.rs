use std::fs::File;
use std::time::SystemTime;

use super::file::PIECE_BYTES;
use super::*;

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

#[test]
fn file_is_known_by_its_bytes_and_read_again_in_parts() {
    let bytes: Vec<u8> = (0..2 * PIECE_BYTES + 10).map(|n| n as u8).collect();
    let on_disk = file(&bytes);
    let mut seen = Vec::new();
    let read = StateFile::read(on_disk.path(), |piece| {
        seen.extend_from_slice(piece);
        Ok(())
    })
    .unwrap();
    assert_eq!((seen.as_slice(), read.size_bytes()), (bytes.as_slice(), bytes.len() as u64));
    assert_eq!(StateSource::from(read.clone()).content_hash(), Some(ContentHash::of(&bytes)));
    for range in [0..bytes.len(), 5..PIECE_BYTES + 6, bytes.len() - 1..bytes.len(), 7..7] {
        let part: Vec<u8> = read
            .pieces(range.start as u64..range.end as u64)
            .unwrap()
            .flat_map(|piece| piece.unwrap().to_vec())
            .collect();
        assert!(part == bytes[range.clone()], "{range:?}");
    }
}

#[test]
fn end_of_a_file_that_changed_is_never_handed_out() {
    let on_disk = file(&vec![1; 2 * PIECE_BYTES]);
    let read = StateFile::read(on_disk.path(), |_| Ok(())).unwrap();
    let size = read.size_bytes();
    let mut pieces = read.pieces(0..size).unwrap();
    assert!(pieces.next().unwrap().is_ok());
    // File systems have coarse clocks: a write of the same length must be detected too.
    let later = SystemTime::now() + std::time::Duration::from_secs(1);
    std::fs::write(on_disk.path(), vec![2; 2 * PIECE_BYTES]).unwrap();
    File::options().append(true).open(on_disk.path()).unwrap().set_modified(later).unwrap();
    assert_eq!(pieces.next().unwrap().unwrap_err().kind(), ErrorKind::Local);
    assert!(pieces.next().is_none());
    assert!(read.pieces(0..size).is_err(), "nor is it begun again");
    std::fs::write(on_disk.path(), b"short").unwrap();
    assert!(read.pieces(0..size).is_err());
}

#[cfg(unix)]
#[test]
fn file_that_takes_the_place_of_another_with_its_length_and_time_is_not_that_file() {
    let on_disk = file(b"one state");
    let read = StateFile::read(on_disk.path(), |_| Ok(())).unwrap();
    let time = std::fs::metadata(on_disk.path()).unwrap().modified().unwrap();
    let other = tempfile::NamedTempFile::new_in(on_disk.path().parent().unwrap()).unwrap();
    std::fs::write(other.path(), b"new state").unwrap();
    other.as_file().set_modified(time).unwrap();
    std::fs::rename(other.path(), on_disk.path()).unwrap();
    assert!(read.pieces(0..read.size_bytes()).is_err(), "same length, same time, other bytes");
}

#[cfg(unix)]
#[test]
fn file_that_was_written_in_place_and_given_its_old_time_again_has_changed() {
    let on_disk = file(b"one state");
    let read = StateFile::read(on_disk.path(), |_| Ok(())).unwrap();
    let time = std::fs::metadata(on_disk.path()).unwrap().modified().unwrap();
    // File systems have coarse clocks, and no program can set this time.
    std::thread::sleep(std::time::Duration::from_millis(50));
    std::fs::write(on_disk.path(), b"new state").unwrap();
    File::options().append(true).open(on_disk.path()).unwrap().set_modified(time).unwrap();
    assert!(read.pieces(0..read.size_bytes()).is_err());
}

#[test]
fn what_is_looked_at_may_end_the_reading() {
    let on_disk = file(&vec![0; 20 * PIECE_BYTES]);
    let refused = Error::new(ErrorKind::InvalidState, "test", "no");
    let mut refused = Some(refused);
    let error =
        StateFile::read(on_disk.path(), |_| refused.take().map_or(Ok(()), Err)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidState);
    assert_eq!(
        StateFile::read("/no/such/file", |_| Ok(())).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

fn collected(file: &StateFile) -> (Vec<u8>, Result<bool>) {
    let mut passed = Vec::new();
    let is_whole = file.pass(true, |piece| {
        passed.extend_from_slice(&piece);
        ControlFlow::Continue(())
    });
    (passed, is_whole)
}

#[test]
fn one_pass_hands_out_all_bytes_and_knows_their_sums_afterwards() {
    for size in [0, 1, PIECE_BYTES, 3 * PIECE_BYTES + 7] {
        let bytes: Vec<u8> = (0..size).map(|n| n as u8).collect();
        let on_disk = file(&bytes);
        let opened = StateFile::open(on_disk.path()).unwrap();
        assert_eq!((opened.content_hash(), opened.md5()), (None, None));
        let (passed, is_whole) = collected(&opened);
        assert!(is_whole.unwrap() && passed == bytes, "{size}");
        assert_eq!(opened.content_hash(), Some(ContentHash::of(&bytes)));
        assert_eq!(opened.md5(), Some(Md5Sum::of(&bytes)));
    }
}

#[test]
fn end_of_a_file_is_handed_out_only_if_every_look_agrees() {
    let bytes = vec![7; 9 * PIECE_BYTES];
    let on_disk = file(&bytes);
    let refused = || Error::new(ErrorKind::InvalidState, "test", "no");
    let at_the_end = StateFile::open(on_disk.path()).unwrap().with_look(move |incoming| {
        while incoming.next_piece()?.is_some() {}
        Err(refused())
    });
    let at_once = StateFile::open(on_disk.path()).unwrap().with_look(move |_| Err(refused()));
    for refused in [at_the_end, at_once] {
        let (passed, is_whole) = collected(&refused);
        assert_eq!(is_whole.unwrap_err().kind(), ErrorKind::InvalidState);
        assert!(passed.len() < bytes.len() && refused.content_hash().is_none());
    }
    let content = on_disk.path().to_owned();
    let changing = StateFile::open(on_disk.path()).unwrap().with_look(move |incoming| {
        while incoming.next_piece()?.is_some() {}
        std::fs::write(&content, b"other").unwrap();
        Ok(())
    });
    let (passed, is_whole) = collected(&changing);
    assert_eq!(is_whole.unwrap_err().kind(), ErrorKind::Local, "it changed while it was read");
    assert!(passed.len() < bytes.len());
}

#[test]
fn look_may_end_early_or_read_the_file_once_more() {
    use std::io::{Read as _, Seek as _};
    let bytes: Vec<u8> = (0..5 * PIECE_BYTES).map(|n| n as u8).collect();
    let on_disk = file(&bytes);
    let expected = bytes.clone();
    let opened = StateFile::open(on_disk.path())
        .unwrap()
        .with_look(|incoming| incoming.next_piece().map(drop))
        .with_look(move |incoming| {
            let (mut some, mut all) = ([0; 100], Vec::new());
            incoming.read_exact(&mut some).unwrap();
            incoming.rewind().unwrap();
            assert_eq!(incoming.read_to_end(&mut all).unwrap(), expected.len());
            assert!(all == expected);
            Ok(())
        });
    let (passed, is_whole) = collected(&opened);
    assert!(is_whole.unwrap() && passed == bytes);
}

#[test]
fn the_reader_of_the_pieces_may_stop() {
    let on_disk = file(&vec![0; 9 * PIECE_BYTES]);
    let opened = StateFile::open(on_disk.path()).unwrap();
    assert!(!opened.pass(false, |_| ControlFlow::Break(())).unwrap());
    assert_eq!(opened.content_hash(), None);
}

#[tokio::test]
async fn file_that_was_examined_is_known_and_not_read_again() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    let on_disk = file(b"state");
    let looked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&looked);
    let opened = StateFile::open(on_disk.path()).unwrap().with_look(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    let examined = StateSource::from(opened).examined().await.unwrap();
    assert_eq!(examined.content_hash(), Some(ContentHash::of(b"state")));
    drop(examined.examined().await.unwrap());
    assert_eq!(looked.load(Ordering::Relaxed), 1);
}

#[test]
fn file_without_a_name_is_read_as_often_as_one_with_a_name() {
    use std::io::Write as _;
    let bytes: Vec<u8> = (0..2 * PIECE_BYTES + 3).map(|n| n as u8).collect();
    let mut spool = tempfile::tempfile().unwrap();
    spool.write_all(&bytes).unwrap();
    let mut other = spool.try_clone().unwrap();
    let opened = StateFile::unnamed(spool, "the state that arrived").unwrap();
    for _ in 0..2 {
        let (passed, is_whole) = collected(&opened);
        assert!(is_whole.unwrap() && passed == bytes);
    }
    // File systems have coarse clocks, but a length is exact.
    other.write_all(b"more").unwrap();
    assert_eq!(collected(&opened).1.unwrap_err().kind(), ErrorKind::Local);
}
