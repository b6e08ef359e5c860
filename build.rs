//! Compiles `proto/` into the types of `lotproof::wire::v1`, and the options of its fields into the table
//! that `lotproof::wire::shape` checks received bytes against. Needs no `protoc`.

use std::{env, fmt::Write as _, fs, path::PathBuf};

use prost_build::Config;
use protox::prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind,
    MessageDescriptor, Value,
};

const FILES: [&str; 4] = [
    "lotproof/v1/options.proto",
    "lotproof/v1/envelope.proto",
    "lotproof/v1/event.proto",
    "lotproof/v1/entry.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true);
    compiler.open_files(FILES)?;
    let pool = compiler.descriptor_pool();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("shapes.rs"), shapes(&pool)?)?;
    let mut set = compiler.file_descriptor_set();
    set.file.retain(|file| file.package() == "lotproof.v1");
    Config::new()
        .bytes(["Envelope.payload"])
        .skip_protoc_run()
        .compile_fds(set)?;
    Ok(())
}

/// The table as Rust source: one `Shape` a message, fields ascending by number.
fn shapes(pool: &DescriptorPool) -> Result<String, Box<dyn std::error::Error>> {
    let messages: Vec<MessageDescriptor> = pool
        .all_messages()
        .filter(|message| message.package_name() == "lotproof.v1")
        .collect();
    let mut source = String::new();
    for message in &messages {
        writeln!(source, "/// Shape of `{}`.", message.name())?;
        writeln!(
            source,
            "pub static {}: Shape = Shape {{",
            constant(message.name())
        )?;
        writeln!(source, "    name: {:?},\n    fields: &[", message.name())?;
        let mut fields: Vec<FieldDescriptor> = message.fields().collect();
        fields.sort_by_key(FieldDescriptor::number);
        for field in &fields {
            writeln!(source, "        {},", shape_field(pool, field)?)?;
        }
        let required_to = fields
            .iter()
            .rposition(|field| flag(pool, &field.options(), "required"))
            .map_or(0, |last| last + 1);
        writeln!(source, "    ],\n    required_to: {required_to},\n}};")?;
    }
    Ok(source)
}

fn shape_field(pool: &DescriptorPool, field: &FieldDescriptor) -> Result<String, Box<dyn std::error::Error>> {
    let kind = match field.kind() {
        Kind::Bool => "Kind::Bool".to_owned(),
        Kind::Uint32 => "Kind::Uint32".to_owned(),
        Kind::Uint64 => "Kind::Uint64".to_owned(),
        Kind::Int64 => "Kind::Int64".to_owned(),
        Kind::Sint32 => "Kind::Sint32".to_owned(),
        Kind::Enum(values) => format!(
            "Kind::Enum({})",
            values.values().map(|v| v.number()).max().unwrap_or(0)
        ),
        Kind::String => "Kind::Text".to_owned(),
        Kind::Bytes => "Kind::Bytes".to_owned(),
        Kind::Message(inner) => format!("Kind::Message(&{})", constant(inner.name())),
        other => {
            return Err(format!("{}: {other:?} is not part of the wire format", field.full_name()).into());
        }
    };
    let options = field.options();
    let flag = |name: &str| flag(pool, &options, name);
    let form = option(pool, &options, "form")
        .and_then(|value| value.as_enum_number())
        .unwrap_or(0);
    let form = match pool
        .get_enum_by_name("lotproof.v1.Form")
        .and_then(|forms| forms.get_value(form))
    {
        Some(value) => camel(value.name()),
        None => return Err(format!("{}: form {form} is not declared", field.full_name()).into()),
    };
    let presence = if field.cardinality() == Cardinality::Repeated {
        "Presence::Repeated"
    } else if field
        .containing_oneof()
        .is_some_and(|oneof| !oneof.is_synthetic())
    {
        "Presence::OneOf"
    } else if field.supports_presence() {
        "Presence::Explicit"
    } else {
        "Presence::Implicit"
    };
    Ok(format!(
        "Field {{ number: {}, name: {:?}, kind: {kind}, presence: {presence}, form: Form::{form}, \
         sealable: {}, sliced: {}, required: {} }}",
        field.number(),
        field.name(),
        flag("sealable"),
        flag("sliced"),
        flag("required"),
    ))
}

/// Whether an option of ours is set to true.
fn flag(pool: &DescriptorPool, options: &DynamicMessage, name: &str) -> bool {
    option(pool, options, name)
        .and_then(|value| value.as_bool())
        .unwrap_or(false)
}

fn option(pool: &DescriptorPool, options: &DynamicMessage, name: &str) -> Option<Value> {
    let extension: ExtensionDescriptor = pool.get_extension_by_name(&format!("lotproof.v1.{name}"))?;
    options
        .has_extension(&extension)
        .then(|| options.get_extension(&extension).into_owned())
}

/// `PartyEnrolled` as `PARTY_ENROLLED`.
fn constant(name: &str) -> String {
    let mut out = String::new();
    for (at, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            out.push('_');
        }
        out.push(letter.to_ascii_uppercase());
    }
    out
}

/// `PUBLIC_KEY` as `PublicKey`.
fn camel(name: &str) -> String {
    name.split('_')
        .map(|word| word[..1].to_owned() + &word[1..].to_ascii_lowercase())
        .collect()
}
