//! A proxy that sends every name to one server: so a configuration can contain a service's own host
//! names, and a test can interfere on the way.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A running proxy for plain HTTP. It runs as long as the process.
#[derive(Debug)]
pub struct Proxy {
    /// Its URL, for `HTTP_PROXY`.
    pub url: String,
}

impl Proxy {
    /// Starts one that sends every request to the server at this URL, such as
    /// `http://127.0.0.1:9000`, whatever its host name. The name stays in the header `Host`.
    ///
    /// # Panics
    /// If it cannot listen.
    pub fn to(server: &str) -> Self {
        Self::altering(server, Vec::new())
    }

    /// Like [`to`](Self::to), but replaces words by others of the same length, anywhere in a
    /// request.
    ///
    /// # Panics
    /// If it cannot listen, or the words differ in length.
    pub fn altering(server: &str, words: Vec<(String, String)>) -> Self {
        assert!(
            words.iter().all(|(from, to)| from.len() == to.len()),
            "the length of a request stays"
        );
        Self::start(server, words, None)
    }

    /// Like [`to`](Self::to), but acts before it passes on the first request of this kind. It
    /// recognizes a request by its first line.
    ///
    /// # Panics
    /// If it cannot listen.
    pub fn before(
        server: &str,
        is_meant: impl Fn(&str) -> bool + Send + Sync + 'static,
        act: impl FnOnce() + Send + 'static,
    ) -> Self {
        let act: Box<dyn FnOnce() + Send> = Box::new(act);
        let act = Mutex::new(Some(act));
        let look = move |line: &str| {
            let act = if is_meant(line) {
                act.lock().unwrap_or_else(PoisonError::into_inner).take()
            } else {
                None
            };
            if let Some(act) = act {
                act();
            }
        };
        Self::start(server, Vec::new(), Some(Arc::new(look)))
    }

    /// Like [`before`](Self::before), but the request reaches the server, and the proxy acts once
    /// the server has answered. The answer is lost, and so is what follows on that connection.
    ///
    /// # Panics
    /// If it cannot listen.
    pub fn instead_of_answer(
        server: &str,
        is_meant: impl Fn(&str) -> bool + Send + Sync + 'static,
        act: impl FnOnce() + Send + 'static,
    ) -> Self {
        let act: Box<dyn FnOnce() + Send> = Box::new(act);
        let lost = Lost { is_meant: Arc::new(is_meant), act: Arc::new(Mutex::new(Some(act))) };
        Self::listen(server, Vec::new(), None, Some(lost))
    }

    fn start(server: &str, words: Vec<(String, String)>, look: Option<Look>) -> Self {
        Self::listen(server, words, look, None)
    }

    fn listen(
        server: &str,
        words: Vec<(String, String)>,
        look: Option<Look>,
        lost: Option<Lost>,
    ) -> Self {
        let server = server.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("the system grants a port");
        let url = format!("http://{}", listener.local_addr().expect("a listener has an address"));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, words, look) = (server.clone(), words.clone(), look.clone());
                let lost = lost.clone();
                // The client notices a broken connection.
                std::thread::spawn(move || {
                    drop(pass(&client, &server, &words, look.as_ref(), lost.as_ref()));
                });
            }
        });
        Self { url }
    }
}

/// Gets the first line of each request before the proxy passes it on.
type Look = Arc<dyn Fn(&str) + Send + Sync>;

/// What happens once.
type Act = Box<dyn FnOnce() + Send>;

/// Which answer is lost, and what happens instead.
#[derive(Clone)]
struct Lost {
    is_meant: IsMeant,
    act: Arc<Mutex<Option<Act>>>,
}

/// Decides by the first line of a request.
type IsMeant = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Passes on answers until one is lost.
fn answer(
    mut answers: TcpStream,
    mut back: TcpStream,
    is_lost: &AtomicBool,
    lost: Option<&Lost>,
) -> std::io::Result<()> {
    let mut bytes = vec![0; 64 << 10];
    loop {
        let length = answers.read(&mut bytes)?;
        if is_lost.load(Ordering::SeqCst) {
            let act = lost
                .and_then(|lost| lost.act.lock().unwrap_or_else(PoisonError::into_inner).take());
            act.into_iter().for_each(|act| act());
            return Ok(());
        }
        if length == 0 {
            return Ok(());
        }
        back.write_all(&bytes[..length])?;
    }
}

/// Passes on the requests of one connection, altered, and their answers.
fn pass(
    client: &TcpStream,
    server: &str,
    words: &[(String, String)],
    look: Option<&Look>,
    lost: Option<&Lost>,
) -> std::io::Result<()> {
    let upstream = TcpStream::connect(server)?;
    let (answers, back) = (upstream.try_clone()?, client.try_clone()?);
    let is_lost = Arc::new(AtomicBool::new(false));
    let (its, lost_here) = (Arc::clone(&is_lost), lost.cloned());
    std::thread::spawn(move || {
        let end = back.try_clone();
        drop(answer(answers, back, &its, lost_here.as_ref()));
        drop(end.and_then(|end| end.shutdown(Shutdown::Both)));
    });
    let (mut requests, mut upstream) = (BufReader::new(client), upstream);
    loop {
        let mut head = String::new();
        if requests.read_line(&mut head)? == 0 {
            return upstream.shutdown(Shutdown::Both);
        }
        head = in_origin_form(&head);
        if let Some(look) = look {
            look(&head);
        }
        if lost.is_some_and(|lost| (lost.is_meant)(&head)) {
            is_lost.store(true, Ordering::SeqCst);
        }
        let mut length = 0;
        loop {
            let start = head.len();
            requests.read_line(&mut head)?;
            let line = head[start..].trim_end();
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
            if line.is_empty() {
                break;
            }
        }
        let mut request = head.into_bytes();
        if words.is_empty() {
            upstream.write_all(&request)?;
            std::io::copy(&mut requests.by_ref().take(length), &mut upstream)?;
            continue;
        }
        requests.by_ref().take(length).read_to_end(&mut request)?;
        for (from, to) in words {
            while let Some(at) =
                request.windows(from.len()).position(|window| window == from.as_bytes())
            {
                request[at..at + to.len()].copy_from_slice(to.as_bytes());
            }
        }
        upstream.write_all(&request)?;
    }
}

/// Requests to a proxy contain the whole URL, those to a server its path:
/// <https://www.rfc-editor.org/rfc/rfc9112#section-3.2>.
fn in_origin_form(line: &str) -> String {
    match line
        .split_once(" http://")
        .and_then(|(method, rest)| Some((method, rest.split_once('/')?.1)))
    {
        Some((method, path)) => format!("{method} /{path}"),
        None => line.to_owned(),
    }
}
