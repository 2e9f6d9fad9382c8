//! Where traces go: the settings first, then the variables that OpenTelemetry has for it.

use url::Url;

use super::Resolver;
use crate::settings::document::TelemetryTable;
use crate::settings::secret::Secret;
use crate::settings::sections::{OtlpSettings, TelemetrySettings};

/// What is appended to a collector's address for traces.
const TRACES_PATH: &str = "v1/traces";
const SERVICE_NAME: &str = "bookgate";

impl Resolver<'_> {
    pub(super) fn telemetry(&mut self, table: TelemetryTable) -> Option<TelemetrySettings> {
        if self.env.get("OTEL_SDK_DISABLED") == Some("true") {
            return Some(TelemetrySettings::default());
        }
        let key = "telemetry.otlp.endpoint";
        let traces_url = match table.otlp.endpoint {
            Some(endpoint) => Some(below(self.url(key, &endpoint)?)),
            None => self.traces_url_of_environment()?,
        };
        let authorization = match table.otlp.authorization {
            Some(text) => Some(self.secret("telemetry.otlp.authorization", &text)?),
            None => None,
        };
        let Some(traces_url) = traces_url else {
            return Some(TelemetrySettings::default());
        };
        let mut headers = headers(
            self.env
                .get("OTEL_EXPORTER_OTLP_HEADERS")
                .unwrap_or_default(),
        );
        headers.extend(authorization.map(|secret| ("authorization".to_owned(), secret)));
        let service_name = self.env.get("OTEL_SERVICE_NAME");
        Some(TelemetrySettings {
            otlp: Some(OtlpSettings {
                traces_url,
                headers,
                service_name: service_name.unwrap_or(SERVICE_NAME).to_owned(),
            }),
        })
    }

    /// `Some(None)` if no variable says it, `None` if one is wrong.
    fn traces_url_of_environment(&mut self) -> Option<Option<Url>> {
        let set = |name| self.env.get(name).filter(|value| !value.is_empty());
        let (whole, base) = (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        );
        if let Some(text) = set(whole) {
            return self.url(whole, text).map(Some);
        }
        match set(base) {
            Some(text) => self.url(base, text).map(|url| Some(below(url))),
            None => Some(None),
        }
    }
}

fn below(mut url: Url) -> Url {
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(TRACES_PATH.split('/'));
    }
    url
}

/// `name=value,name=value`, the values percent-encoded.
fn headers(text: &str) -> Vec<(String, Secret)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    let decoded = pairs.map(|(name, value)| {
        // As a form, but for the plus sign, which stands for itself here.
        let form = format!("v={}", value.trim().replace('+', "%2B"));
        let mut values = url::form_urlencoded::parse(form.as_bytes());
        let value = values.next().map(|(_, value)| value.into_owned());
        (
            name.trim().to_lowercase(),
            Secret::new(value.unwrap_or_default()),
        )
    });
    decoded.filter(|(name, _)| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_opentelemetry_writes_them() {
        let read = headers("Api-Key=a%20b+c%3D, x-tenant = desk ,broken");
        let read: Vec<_> = read
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose()))
            .collect();
        assert_eq!(read, [("api-key", "a b+c="), ("x-tenant", "desk")]);
    }

    #[test]
    fn traces_go_below_the_collector_s_address() {
        for base in ["http://otel.example:4318", "http://otel.example:4318/"] {
            let url = below(base.parse().unwrap());
            assert_eq!(url.as_str(), "http://otel.example:4318/v1/traces");
        }
    }
}
