//! What people are told and asked: the product, its properties, notes and licences.

use crate::error::Result;
use crate::package::appliance::Appliance;
use crate::package::appliance::Product;
use crate::package::appliance::Property;
use crate::package::xml::Xml;

/// A class and an instance of properties; both may be none.
type Group<'a> = (Option<&'a str>, Option<&'a str>);

/// Writes the sections.
pub(super) fn write(xml: &mut Xml, appliance: &Appliance) -> Result<()> {
    for group in groups(appliance) {
        section(xml, appliance, group)?;
    }
    if let Some(annotation) = annotation(appliance) {
        xml.element("AnnotationSection", &[], |xml| {
            xml.text("Info", "Notes")?;
            xml.text("Annotation", &annotation)
        })?;
    }
    for eula in &appliance.eulas {
        xml.element("EulaSection", &[], |xml| {
            xml.text("Info", "A licence")?;
            xml.text("License", eula)
        })?;
    }
    Ok(())
}

/// What a person should know. The least memory is told in here: a second item of memory, marked as the least, is a second
/// memory to importers that do not know the mark.
fn annotation(appliance: &Appliance) -> Option<String> {
    let least = appliance.minimum_memory.map(|bytes| format!("It needs at least {} MiB of memory.", bytes >> 20));
    let parts: Vec<String> = appliance.annotation.clone().into_iter().chain(least).collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// The groups of properties, in the order in which they come; the product's own first, if it has anything to tell.
fn groups(appliance: &Appliance) -> Vec<Group<'_>> {
    let mut groups = Vec::new();
    if appliance.product != Product::default() {
        groups.push((None, None));
    }
    for property in &appliance.properties {
        if !groups.contains(&group(property)) {
            groups.push(group(property));
        }
    }
    groups
}

fn group(property: &Property) -> Group<'_> {
    (property.class.as_deref(), property.instance.as_deref())
}

fn section(xml: &mut Xml, appliance: &Appliance, group: Group<'_>) -> Result<()> {
    let mut attributes = Vec::new();
    attributes.extend(group.0.map(|class| ("ovf:class", class)));
    attributes.extend(group.1.map(|instance| ("ovf:instance", instance)));
    xml.element("ProductSection", &attributes, |xml| {
        xml.text("Info", "The product")?;
        if group == (None, None) {
            product(xml, appliance)?;
        }
        properties(xml, appliance, group)
    })
}

fn product(xml: &mut Xml, appliance: &Appliance) -> Result<()> {
    let Product { name, vendor, version, full_version, product_url, vendor_url, app_url } = &appliance.product;
    xml.text("Product", name.as_ref().unwrap_or(&appliance.name))?;
    xml.text_if("Vendor", vendor.as_deref())?;
    xml.text_if("Version", version.as_deref())?;
    xml.text_if("FullVersion", full_version.as_deref())?;
    xml.text_if("ProductUrl", product_url.as_deref())?;
    xml.text_if("VendorUrl", vendor_url.as_deref())?;
    xml.text_if("AppUrl", app_url.as_deref())
}

/// The properties of a group, those without a category first: a category holds until the next.
fn properties(xml: &mut Xml, appliance: &Appliance, of: Group<'_>) -> Result<()> {
    let members = || appliance.properties.iter().filter(|property| group(property) == of);
    let mut categories = vec![None];
    for property in members() {
        if !categories.contains(&property.category.as_deref()) {
            categories.push(property.category.as_deref());
        }
    }
    for category in categories {
        xml.text_if("Category", category)?;
        for property in members().filter(|property| property.category.as_deref() == category) {
            self::property(xml, property)?;
        }
    }
    Ok(())
}

fn property(xml: &mut Xml, property: &Property) -> Result<()> {
    let yes = |yes: bool| if yes { "true" } else { "false" };
    let mut attributes = vec![("ovf:key", property.key.as_str()), ("ovf:type", &property.kind)];
    attributes.extend(property.qualifiers.as_deref().map(|qualifiers| ("ovf:qualifiers", qualifiers)));
    attributes.push(("ovf:userConfigurable", yes(property.user_configurable)));
    if property.password {
        attributes.push(("ovf:password", "true"));
    }
    attributes.extend(property.default.as_deref().map(|value| ("ovf:value", value)));
    xml.element("Property", &attributes, |xml| {
        xml.text_if("Label", property.label.as_deref())?;
        xml.text_if("Description", property.description.as_deref())
    })
}
