//! Paging through listings.

use std::collections::VecDeque;
use std::future::Future;

use futures_util::stream::{self, BoxStream, StreamExt as _};

use crate::error::{Error, ErrorKind, Result};
use crate::workspace::Workspace;

/// One page of a listing, and where the next one starts.
#[derive(Clone, Debug)]
pub struct Page<T, M> {
    /// The entries.
    pub items: Vec<T>,
    /// The marker to request the next page with; `None` on the last page.
    pub next: Option<M>,
    /// The first entry that the store sent, wanted or not. No listing returns one entry twice.
    first: Option<String>,
}

impl<T, M> Page<T, M> {
    /// Creates a page. `marker` says where the next one starts, if the store says that there is
    /// one.
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
        Ok(Self { items, next: marker.filter(|_| is_truncated), first: None })
    }

    /// Sets the first entry that the store sent, so that a listing that starts over is noticed.
    #[must_use]
    pub fn with_first(mut self, entry: Option<String>) -> Self {
        self.first = entry;
        self
    }
}

/// The most consecutive empty pages. Some stores send such pages after many deletions; the limit
/// stops a listing that never ends.
const MOST_EMPTY: u32 = 1000;

/// The most pages of one listing. With 1,000 entries on each, no bucket has as many.
const MOST_PAGES: u64 = 1_000_000;

/// The most workspaces of one state key. Callers that list them hold them all in memory.
const MOST_WORKSPACES: usize = 100_000;

/// Detects a listing that never ends. It remembers one page, which no later page may equal, and
/// replaces it at every power of two. So it detects a cycle of any length and holds only one page.
struct Walk<M> {
    pages: u64,
    empty: u32,
    marker: Option<M>,
    first: Option<String>,
}

impl<M: Clone + PartialEq> Walk<M> {
    fn new() -> Self {
        Self { pages: 0, empty: 0, marker: None, first: None }
    }

    /// Notes a page that was requested with this marker.
    ///
    /// # Errors
    /// Describes how the listing repeats without end.
    fn note<T>(&mut self, at: Option<&M>, page: &Page<T, M>) -> Result<(), String> {
        self.pages += 1;
        let is_again = |first: &String| self.first.as_ref() == Some(first);
        let goes_back =
            page.next.is_some() && (page.next.as_ref() == at || page.next == self.marker);
        if goes_back || page.first.as_ref().is_some_and(is_again) {
            return Err(
                "the store goes round in circles: its listing goes on where it has been".to_owned()
            );
        }
        self.empty = if page.items.is_empty() && page.first.is_none() { self.empty + 1 } else { 0 };
        if self.empty > MOST_EMPTY {
            return Err(format!(
                "the store says that its listing goes on, and has sent {MOST_EMPTY} empty pages"
            ));
        }
        if self.pages >= MOST_PAGES {
            return Err(format!(
                "the store has sent {MOST_PAGES} pages of a listing, and says that it goes on"
            ));
        }
        if self.pages.is_power_of_two() {
            (self.marker, self.first) = (page.next.clone(), page.first.clone());
        }
        Ok(())
    }
}

/// Turns pages into items. The next page is requested once the current one is used up, so memory is
/// bounded by one page.
///
/// `store` names the store in errors. `fetch` receives the marker of the page; `None` for the
/// first.
pub fn pages<'a, T, M, F>(
    store: impl Into<String>,
    fetch: impl Fn(Option<M>) -> F + Send + 'a,
) -> BoxStream<'a, Result<T>>
where
    T: Send + 'a,
    M: Clone + PartialEq + Send + 'a,
    F: Future<Output = Result<Page<T, M>>> + Send + 'a,
{
    // The marker is doubly optional: the first page has none, and after the last page there is no
    // next one.
    let start = (VecDeque::new(), Some(None), Walk::new(), store.into(), fetch);
    stream::try_unfold(start, |(mut items, mut marker, mut walk, store, fetch)| async move {
        loop {
            if let Some(item) = items.pop_front() {
                return Ok(Some((item, (items, marker, walk, store, fetch))));
            }
            let Some(at) = marker else { return Ok(None) };
            let page = fetch(at.clone()).await?;
            walk.note(at.as_ref(), &page).map_err(|reason| {
                Error::new(ErrorKind::Unexpected, "list", reason)
                    .with_context("store", &store)
                    .with_hint(
                        "look for a proxy between this machine and the store that answers in its \
                         place",
                    )
            })?;
            items = page.items.into();
            marker = page.next.map(Some);
        }
    })
    .boxed()
}

/// Limits the workspaces of a listing to more than any state has: a store that invents them without
/// end would fill the memory.
///
/// # Errors
/// `Unexpected` for the first one beyond the limit.
pub(crate) fn not_too_many<'a>(
    store: impl Into<String>,
    workspaces: BoxStream<'a, Result<Workspace>>,
) -> BoxStream<'a, Result<Workspace>> {
    let store = store.into();
    let numbered = workspaces.enumerate().map(move |(before, workspace)| {
        if before < MOST_WORKSPACES {
            return workspace;
        }
        let reason =
            format!("the store lists more than {MOST_WORKSPACES} workspaces of one state key");
        let error = Error::new(ErrorKind::Unexpected, "list", reason).with_context("store", &store);
        Err(error.with_hint("look at what is stored below `workspace_key_prefix`"))
    });
    numbered.boxed()
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    #[tokio::test]
    async fn pages_follow_each_other_until_the_last() {
        let all: Vec<u32> = pages("here", |at: Option<u32>| async move {
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
            pages("here", |_| async { Page::new(vec![1], true, Some("here")) }).try_collect().await;
        assert_eq!(all.unwrap_err().kind(), ErrorKind::Unexpected);
    }

    /// Reads a listing that starts over after this many pages, each time with new tokens.
    async fn circle(length: u64) -> Result<Vec<u64>> {
        let listing = pages("`http://store`", move |at: Option<u64>| async move {
            let page = at.unwrap_or(0);
            let first = (page % length).to_string();
            Ok(Page::new(vec![page], true, Some(page + 1))?.with_first(Some(first)))
        });
        listing.try_collect().await
    }

    #[tokio::test]
    async fn a_listing_that_begins_again_with_new_tokens_is_an_error_whatever_its_length() {
        for length in [1, 2, 3, 7, 100, 1000] {
            let error = circle(length).await.unwrap_err();
            assert!(error.to_string().contains("circles"), "{length}: {error}");
            assert!(
                format!("{:?}", error.context()).contains("http://store"),
                "{:?}",
                error.context()
            );
        }
    }

    #[tokio::test]
    async fn a_listing_without_end_of_entries_that_are_always_new_is_an_error() {
        let listing = pages("here", |at: Option<u64>| async move {
            let page = at.unwrap_or(0);
            Ok(Page::new(vec![()], true, Some(page + 1))?.with_first(Some(page.to_string())))
        });
        let counted = listing.try_fold(0_u64, async |count, ()| Ok(count + 1)).await;
        assert!(counted.unwrap_err().to_string().contains("says that it goes on"));
    }

    #[tokio::test]
    async fn workspaces_that_are_made_up_without_end_are_an_error() {
        let made_up = |most: usize| {
            let names = (0..most).map(|number| format!("w{number}").parse::<Workspace>());
            let names = stream::iter(names.map(|name| Ok(name.unwrap()))).boxed();
            not_too_many("here", names).try_fold(0, async |count, _| Ok(count + 1))
        };
        assert_eq!(made_up(MOST_WORKSPACES).await.unwrap(), MOST_WORKSPACES);
        assert!(made_up(MOST_WORKSPACES + 1).await.unwrap_err().to_string().contains("more than"));
    }

    #[tokio::test]
    async fn empty_pages_without_end_are_an_error_and_some_are_not() {
        let listing = |most: u32| {
            pages("here", move |at: Option<u32>| async move {
                let at = at.unwrap_or(0);
                Page::new(if at == most { vec![at] } else { vec![] }, at < most, Some(at + 1))
            })
            .try_collect::<Vec<_>>()
        };
        assert_eq!(listing(900).await.unwrap(), [900]);
        assert_eq!(listing(u32::MAX).await.unwrap_err().kind(), ErrorKind::Unexpected);
    }

    #[test]
    fn a_listing_that_goes_on_without_a_marker_is_an_error_and_not_the_end() {
        let next =
            |is_truncated, marker| Page::new(vec![()], is_truncated, marker).map(|page| page.next);
        assert_eq!(next(true, Some("token")).unwrap(), Some("token"));
        assert_eq!(next(false, Some("token")).unwrap(), None);
        assert_eq!(next(true, None).unwrap_err().kind(), ErrorKind::Unexpected);
    }
}
