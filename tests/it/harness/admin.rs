//! What admins ask of an installation, and what it answers.

use std::collections::BTreeMap;

use bookgate::domain::ids::Uid;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::{ADMIN_TOKEN, Installation, READ_TOKEN, openapi};

impl Installation {
    pub(crate) async fn admin(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let request = self
            .http
            .request(method, format!("{}{path}", self.running().admin))
            .bearer_auth(ADMIN_TOKEN);
        answer(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.admin(reqwest::Method::GET, path, None).await
    }

    /// Orders a run of a job.
    pub(crate) async fn order_run(&self, job: &str) {
        let path = format!("/v1/jobs/{job}/runs");
        let (status, job) = self.admin(reqwest::Method::POST, &path, None).await;
        assert!((200..300).contains(&status), "{job}");
    }

    /// A job as it is listed.
    pub(crate) async fn job(&self, name: &str) -> Value {
        let (_, jobs) = self.get("/v1/jobs").await;
        let mut all = jobs["items"].as_array().unwrap().iter();
        all.find(|job| job["name"] == name).unwrap().clone()
    }

    /// Has a run of a job made now; gives its report.
    pub(crate) async fn run_job(&self, name: &str) -> Value {
        self.order_run(name).await;
        self.settle().await;
        self.job(name).await["report"].clone()
    }

    /// What is counted of a source: the numbers of a name without `bookgate_`, summed up by
    /// `result` (empty where there is none), without those that are 0.
    pub(crate) async fn counted(&self, name: &str, source: &str) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for (labels, count) in self.numbers(name, source).await {
            if count > 0 {
                let result = labels.split('"').nth(1).unwrap_or_default();
                *sums.entry(result.to_owned()).or_default() += count;
            }
        }
        sums
    }

    /// What a gauge of a source shows; `None` if it is not there.
    pub(crate) async fn gauge(&self, name: &str, source: &str) -> Option<u64> {
        let numbers = self.numbers(name, source).await;
        numbers.first().map(|(_, number)| *number)
    }

    /// The numbers of a name without `bookgate_`, with the labels behind the source.
    async fn numbers(&self, name: &str, source: &str) -> Vec<(String, u64)> {
        let metrics = self.raw_admin(reqwest::Method::GET, "/metrics");
        let metrics = metrics.bearer_auth(READ_TOKEN).send().await.unwrap();
        let text = metrics.text().await.unwrap();
        let start = format!("bookgate_{name}{{source=\"{source}\"");
        let lines = text.lines().filter_map(|line| line.strip_prefix(&start));
        let number = |line: &str| {
            let (labels, number) = line.split_once("} ").unwrap();
            (labels.to_owned(), number.parse().unwrap())
        };
        lines.map(number).collect()
    }

    /// Where the admin door is.
    pub(crate) fn admin_url(&self) -> &str {
        &self.running().admin
    }

    /// A request as it is, to be sent to the admin door.
    pub(crate) fn raw_admin(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.running().admin))
    }

    /// A request as it is, to be sent to the public door.
    pub(crate) fn raw_public(
        &self,
        method: reqwest::Method,
        path: &str,
    ) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.public()))
    }

    pub(crate) async fn top_up(&self, amount: &str) {
        let key = format!("{amount}-{}", uuid::Uuid::now_v7());
        let path = "/v1/accounts/ada@reader.example/top-ups";
        let (status, body) = answer(
            self.raw_admin(reqwest::Method::POST, path)
                .bearer_auth(ADMIN_TOKEN)
                .header("idempotency-key", key)
                .json(&json!({"amount": amount, "unit": "CREDIT", "reason": "test"})),
        )
        .await;
        assert_eq!(status, 201, "{body}");
    }

    /// Ada's posted, held and available credit.
    pub(crate) async fn balance(&self) -> (String, String, String) {
        let (status, account) = self.get("/v1/accounts/ada@reader.example").await;
        assert_eq!(status, 200, "{account}");
        let line = &account["balances"][0];
        let text = |key: &str| line[key].as_str().unwrap().to_owned();
        (text("posted"), text("held"), text("available"))
    }

    pub(crate) async fn assert_balance(&self, posted: &str, held: &str) {
        let (is_posted, is_held, _) = self.balance().await;
        assert_eq!(
            (is_posted.as_str(), is_held.as_str()),
            (posted, held),
            "posted and held"
        );
    }

    pub(crate) async fn booking(&self, uid: &Uid) -> Value {
        self.booking_of("calcom", uid.as_str()).await
    }

    pub(crate) async fn booking_of(&self, source: &str, reference: &str) -> Value {
        let (status, booking) = self
            .get(&format!("/v1/bookings/{source}/{reference}"))
            .await;
        assert_eq!(status, 200, "{booking}");
        booking
    }
}

/// Sends a request to the admin door; what it answers must be described. Status, head and body.
pub(crate) async fn exchange(request: reqwest::RequestBuilder) -> (u16, HeaderMap, String) {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let response = client.execute(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    openapi::check(method.as_str(), &path, status, &headers, &text);
    (status, headers, text)
}

/// Status and body of an answer.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let (status, _, text) = exchange(request).await;
    (
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}
