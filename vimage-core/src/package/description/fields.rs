//! The keys of a description, and the kinds of values that they have. `docs/appliance.md` tells what each is.

use super::size;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// All of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Description {
    pub(super) name: String,
    pub(super) annotation: Option<String>,
    #[serde(default)]
    pub(super) eula: Vec<String>,
    pub(super) readme: Option<String>,
    pub(super) transport: Option<Vec<String>>,
    #[serde(default)]
    pub(super) product: Product,
    #[serde(default)]
    pub(super) system: System,
    #[serde(default)]
    pub(super) disk: Vec<Disk>,
    pub(super) network: Option<Vec<Network>>,
    #[serde(default)]
    pub(super) property: Vec<Property>,
    #[serde(default)]
    pub(super) configuration: Vec<Configuration>,
    #[serde(default)]
    pub(super) extra: BTreeMap<String, Scalar>,
}

/// `[product]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Product {
    pub(super) name: Option<String>,
    pub(super) vendor: Option<String>,
    pub(super) version: Option<String>,
    pub(super) full_version: Option<String>,
    pub(super) product_url: Option<String>,
    pub(super) vendor_url: Option<String>,
    pub(super) app_url: Option<String>,
}

/// `[system]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct System {
    pub(super) os: Option<String>,
    pub(super) cpus: Option<i64>,
    pub(super) cores_per_socket: Option<i64>,
    pub(super) memory: Option<Size>,
    pub(super) minimum_memory: Option<Size>,
    pub(super) firmware: Option<String>,
    pub(super) secure_boot: Option<bool>,
    pub(super) hardware: Option<i64>,
}

/// `[[disk]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Disk {
    pub(super) image: Option<String>,
    pub(super) format: Option<String>,
    pub(super) snapshot: Option<String>,
    pub(super) role: Option<String>,
    pub(super) size: Option<Size>,
    pub(super) controller: Option<String>,
}

/// `[[network]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Network {
    pub(super) name: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) model: Option<String>,
    #[serde(default)]
    pub(super) forward: Vec<Forward>,
}

/// `[[network.forward]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Forward {
    pub(super) name: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) host: i64,
    pub(super) guest: i64,
    pub(super) host_address: Option<String>,
}

/// `[[property]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Property {
    pub(super) key: String,
    pub(super) class: Option<String>,
    pub(super) instance: Option<String>,
    pub(super) category: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) default: Option<Scalar>,
    pub(super) password: Option<bool>,
    pub(super) user_configurable: Option<bool>,
    pub(super) qualifiers: Option<String>,
    pub(super) label: Option<String>,
    pub(super) description: Option<String>,
}

/// `[[configuration]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Configuration {
    pub(super) id: String,
    pub(super) label: Option<String>,
    pub(super) description: Option<String>,
    pub(super) cpus: Option<i64>,
    pub(super) memory: Option<Size>,
    pub(super) default: Option<bool>,
}

/// A number of bytes, written as a string with a unit.
pub(super) struct Size(pub(super) u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size in quotes, such as \"2G\" or \"512M\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Size, E> {
                size::parse(text).map(Size).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Any single value, as text.
pub(super) struct Scalar(pub(super) String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a number, true or false")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.to_owned()))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
