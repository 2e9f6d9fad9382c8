//! The page for people: who gets in, what it shows, and what its forms do. Most of it is told by plain HTTP;
//! `browser` looks at it as a person does.

mod browser;
mod doors;
mod forms;
mod looks;
mod sessions;
mod shows;

use bookgate::domain::ids::Uid;
use bookgate::standin::calcom::{Fault, Matcher, Operation, Person, When};
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};

use crate::harness::{ADMIN_TOKEN, CREDIT_POLICY, Installation, Setup};

/// What a stranger may call himself.
const HOSTILE: &str = "<script>document.title='owned'</script>\"'><img src=x onerror=\"document.title='owned'\">\u{202e}drowssap";

/// Cal.com's older API tells of no series, so each is left to a person. It has its price: 2 credits.
fn setup() -> Setup {
    Setup {
        dialect: "v1",
        worker: "retry_schedule_ms = [1000]\nlease_ms = 600000",
        policies: vec![("credits.toml", CREDIT_POLICY.to_owned())],
        ..Setup::default()
    }
}

/// An answer of the page.
struct Answered {
    status: u16,
    to: Option<String>,
    cookie: Option<String>,
    html: String,
    headers: reqwest::header::HeaderMap,
}

/// Somebody with a browser.
struct Visitor {
    http: reqwest::Client,
    url: String,
    cookie: Option<String>,
}

impl Visitor {
    fn stranger(it: &Installation) -> Self {
        let http = crate::rig::http().redirect(Policy::none());
        Self {
            http: http.build().unwrap(),
            url: it.admin_url().to_owned(),
            cookie: None,
        }
    }

    async fn logged_in(it: &Installation, token: &str) -> Self {
        let mut visitor = Self::stranger(it);
        let answered = visitor.post("/log-in", &[("token", token)]).await;
        assert_eq!(answered.status, 303, "{}", answered.html);
        let cookie = answered.cookie.unwrap();
        visitor.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        visitor
    }

    async fn admin(it: &Installation) -> Self {
        Self::logged_in(it, ADMIN_TOKEN).await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        let request = request.header("accept", "text/html,application/xhtml+xml");
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    async fn get(&self, path: &str) -> Answered {
        answered(self.request(Method::GET, path)).await
    }

    /// A page that is there.
    async fn page(&self, path: &str) -> String {
        let answered = self.get(path).await;
        assert_eq!(answered.status, 200, "{path}: {}", answered.html);
        answered.html
    }

    fn form(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        self.request(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.finish())
    }

    /// Sends a form as a browser does that stands on the page.
    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answered {
        answered(
            self.form(path, fields)
                .header("sec-fetch-site", "same-origin"),
        )
        .await
    }

    /// Sends a form with what every form of the session carries.
    async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Answered {
        let form_token = self.form_token().await;
        let mut all = vec![("form_token", form_token.as_str())];
        all.extend_from_slice(fields);
        self.post(path, &all).await
    }

    async fn form_token(&self) -> String {
        let page = self.page("/policies").await;
        field(&page, "form_token")
    }
}

async fn answered(request: reqwest::RequestBuilder) -> Answered {
    let response = request.send().await.unwrap();
    let headers = response.headers().clone();
    let header = |name: &str| Some(headers.get(name)?.to_str().unwrap().to_owned());
    Answered {
        status: response.status().as_u16(),
        to: header("location"),
        cookie: header("set-cookie"),
        html: response.text().await.unwrap(),
        headers,
    }
}

/// What stands in the first field of this name.
fn field(html: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let (_, rest) = html
        .split_once(&start)
        .unwrap_or_else(|| panic!("no {name} in {html}"));
    rest.split('"').next().unwrap().to_owned()
}

/// An occurrence of a series, that waits for a person.
async fn left_open(it: &Installation, by: Person, hours_ahead: i64) -> Uid {
    let mut request = it.request("consultation", hours_ahead);
    request.booker = by;
    let series = it.cal.book_recurring(request, 1).await.unwrap();
    let uid = series[0].uid.clone();
    it.settle().await;
    it.pass_ms(6_000).await;
    assert_eq!(it.booking(&uid).await["outcome"], "defer");
    uid
}

/// A booking whose acceptance the provider could not be told.
async fn dead_letter(it: &Installation, hours_ahead: i64) -> Uid {
    for _ in 0..2 {
        let patch = Matcher::operation(Operation::Patch);
        it.cal
            .fail_next(patch, When::BeforeWork, Fault::Status(401));
    }
    let uid = it.book(hours_ahead).await.uid;
    it.settle().await;
    it.pass_ms(2_000).await;
    let (status, listed) = it.get("/v1/dead-letters").await;
    assert_eq!(status, StatusCode::OK.as_u16());
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    uid
}
