//! Walking through listings, page after page.

use std::collections::VecDeque;
use std::future::Future;

use futures_util::stream::{self, BoxStream, StreamExt as _};

use crate::error::{Error, ErrorKind, Result};

/// One page of a listing, and where the next one starts.
#[derive(Clone, Debug)]
pub struct Page<T, M> {
    /// What is on the page.
    pub items: Vec<T>,
    /// What to ask the next page with; `None` on the last.
    pub next: Option<M>,
}

impl<T, M> Page<T, M> {
    /// Describes a page. `marker` says where the next one starts, if the store says that there is one.
    ///
    /// # Errors
    /// `Unexpected` if the store says that there is a next page, but not where.
    pub fn new(items: Vec<T>, is_truncated: bool, marker: Option<M>) -> Result<Self> {
        if is_truncated && marker.is_none() {
            return Err(Error::new(
                ErrorKind::Unexpected,
                "list",
                "the store says that its listing goes on, but not where",
            ));
        }
        Ok(Self { items, next: marker.filter(|_| is_truncated) })
    }
}

/// The most pages in a row that may be empty. Stores send some where much was deleted; one that sends them without end is not followed.
const MOST_EMPTY: u32 = 1000;

/// Turns pages into items. A page is asked for when the one before it is used up, so memory stays bounded by one page.
///
/// `fetch` is given where the page starts; `None` for the first.
pub fn pages<'a, T, M, F>(fetch: impl Fn(Option<M>) -> F + Send + 'a) -> BoxStream<'a, Result<T>>
where
    T: Send + 'a,
    M: Clone + PartialEq + Send + 'a,
    F: Future<Output = Result<Page<T, M>>> + Send + 'a,
{
    // The marker is doubly optional: there is none before the first page, and no page after the last.
    let start = (VecDeque::new(), Some(None), fetch);
    stream::try_unfold(start, |(mut items, mut marker, fetch)| async move {
        let mut empty = 0;
        loop {
            if let Some(item) = items.pop_front() {
                return Ok(Some((item, (items, marker, fetch))));
            }
            let Some(at) = marker else { return Ok(None) };
            let page = fetch(at.clone()).await?;
            if page.next.is_some() && page.next == at {
                return Err(Error::new(
                    ErrorKind::Unexpected,
                    "list",
                    "the store goes round in circles: its listing goes on where it has been",
                ));
            }
            empty += u32::from(page.items.is_empty());
            if empty > MOST_EMPTY {
                return Err(Error::new(
                    ErrorKind::Unexpected,
                    "list",
                    format!("the store says that its listing goes on, and has sent {MOST_EMPTY} empty pages"),
                ));
            }
            items = page.items.into();
            marker = page.next.map(Some);
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    #[tokio::test]
    async fn pages_follow_each_other_until_the_last() {
        let all: Vec<u32> = pages(|at: Option<u32>| async move {
            let start = at.unwrap_or(0);
            Page::new(vec![start, start + 1], start < 4, Some(start + 2))
        })
        .try_collect()
        .await
        .unwrap();
        assert_eq!(all, [0, 1, 2, 3, 4, 5]);
    }

    #[tokio::test]
    async fn a_listing_that_goes_round_in_circles_is_an_error() {
        let all: Result<Vec<u32>> =
            pages(|_| async { Page::new(vec![1], true, Some("here")) }).try_collect().await;
        assert_eq!(all.unwrap_err().kind(), ErrorKind::Unexpected);
    }

    #[tokio::test]
    async fn empty_pages_without_end_are_an_error_and_some_are_not() {
        let listing = |most: u32| {
            pages(move |at: Option<u32>| async move {
                let at = at.unwrap_or(0);
                Page::new(if at == most { vec![at] } else { vec![] }, at < most, Some(at + 1))
            })
            .try_collect::<Vec<_>>()
        };
        assert_eq!(listing(900).await.unwrap(), [900]);
        assert_eq!(listing(u32::MAX).await.unwrap_err().kind(), ErrorKind::Unexpected);
    }

    #[test]
    fn a_listing_that_goes_on_nobody_knows_where_is_an_error_and_not_the_end() {
        let next = |is_truncated, marker| Page::new(vec![()], is_truncated, marker).map(|page| page.next);
        assert_eq!(next(true, Some("token")).unwrap(), Some("token"));
        assert_eq!(next(false, Some("token")).unwrap(), None);
        assert_eq!(next(true, None).unwrap_err().kind(), ErrorKind::Unexpected);
    }
}
