//! How each kind of event of ours stands in EPCIS when nobody says otherwise: type, action, step, disposition,
//! places, parties and papers.

use crate::wire::v1::{self, event::Kind};

/// What an event of ours says in EPCIS words if it has no view of its own; nothing for kinds that EPCIS cannot say.
pub(super) fn default_view(kind: &Kind) -> Option<v1::EpcisView> {
    let object = "ObjectEvent";
    let view = |event_type: &str, action: &str, step: &str, disposition: &str| v1::EpcisView {
        r#type: event_type.to_owned(),
        action: action.to_owned(),
        biz_step: step.to_owned(),
        disposition: disposition.to_owned(),
        ..v1::EpcisView::default()
    };
    // It happened there, and there the things are.
    let at = |facility: &str, mut view: v1::EpcisView| {
        facility.clone_into(&mut view.read_point);
        facility.clone_into(&mut view.biz_location);
        view
    };
    // It happened there, and afterwards the things are nowhere.
    let from = |facility: &str, mut view: v1::EpcisView| {
        facility.clone_into(&mut view.read_point);
        view
    };
    let reference = |event_type: &str, value: &str| {
        (!value.is_empty()).then(|| v1::TypedReference {
            r#type: event_type.to_owned(),
            value: value.to_owned(),
        })
    };
    let advice = |shipment: &str| reference("desadv", shipment).into_iter().collect();
    Some(match kind {
        Kind::Commissioned(e) => at(&e.facility, view(object, "ADD", "commissioning", "active")),
        Kind::OpeningBalanceDeclared(e) => at(&e.facility, view(object, "ADD", "commissioning", "active")),
        Kind::Transformed(e) => at(
            &e.facility,
            view("TransformationEvent", "", "commissioning", "active"),
        ),
        Kind::Recycled(e) => at(
            &e.facility,
            view("TransformationEvent", "", "creating_class_instance", "active"),
        ),
        Kind::Split(e) => at(
            &e.facility,
            view("TransformationEvent", "", "repackaging", "in_progress"),
        ),
        Kind::Merged(e) => at(
            &e.facility,
            view("TransformationEvent", "", "repackaging", "in_progress"),
        ),
        Kind::Aggregated(e) => at(
            &e.facility,
            view("AggregationEvent", "ADD", "packing", "in_progress"),
        ),
        Kind::Disaggregated(e) => at(
            &e.facility,
            view("AggregationEvent", "DELETE", "unpacking", "active"),
        ),
        Kind::Assembled(e) => at(
            &e.facility,
            view("AssociationEvent", "ADD", "assembling", "in_progress"),
        ),
        Kind::Disassembled(e) => at(
            &e.facility,
            view("AssociationEvent", "DELETE", "disassembling", "inactive"),
        ),
        Kind::Inspected(e) if e.destructive == Some(true) => {
            from(&e.facility, view(object, "DELETE", "sampling", "destroyed"))
        }
        Kind::Inspected(e) => {
            let result = match e.result.as_str() {
                stated @ ("conformant" | "non_conformant") => stated,
                _ => "",
            };
            at(&e.facility, view(object, "OBSERVE", "inspecting", result))
        }
        Kind::Held(e) => at(&e.facility, view(object, "OBSERVE", "holding", "unavailable")),
        Kind::Released(e) => at(&e.facility, view(object, "OBSERVE", "holding", "available")),
        Kind::Scrapped(e) => from(&e.facility, view(object, "DELETE", "destroying", "destroyed")),
        Kind::StockCounted(e) => at(&e.facility, view(object, "OBSERVE", "stock_taking", "available")),
        Kind::Shipped(e) => v1::EpcisView {
            sources: reference("location", &e.from_facility).into_iter().collect(),
            destinations: reference("possessing_party", &e.consignee)
                .into_iter()
                .chain(reference("location", &e.to_facility))
                .collect(),
            biz_transactions: advice(&e.shipment),
            ..from(
                &e.from_facility,
                view(object, "OBSERVE", "shipping", "in_transit"),
            )
        },
        Kind::Received(e) => {
            let disposition = match e.condition.as_str() {
                "short" => "mismatch_quantity",
                stated @ ("damaged" | "mismatch_class" | "mismatch_instance" | "mismatch_quantity") => stated,
                _ => "in_progress",
            };
            v1::EpcisView {
                sources: reference("possessing_party", &e.consignor).into_iter().collect(),
                biz_transactions: advice(&e.shipment),
                ..at(&e.facility, view(object, "OBSERVE", "receiving", disposition))
            }
        }
        Kind::DeliveryRefused(e) => v1::EpcisView {
            biz_transactions: advice(&e.shipment),
            ..at(&e.facility, view(object, "OBSERVE", "receiving", "returned"))
        },
        Kind::ShipmentWithdrawn(e) => v1::EpcisView {
            biz_transactions: advice(&e.shipment),
            ..at(
                &e.facility,
                view(object, "OBSERVE", "void_shipping", "in_progress"),
            )
        },
        Kind::CustodyTransferred(e) => v1::EpcisView {
            sources: reference("possessing_party", &e.from_party).into_iter().collect(),
            destinations: reference("possessing_party", &e.to_party).into_iter().collect(),
            ..at(&e.facility, view(object, "OBSERVE", "accepting", "active"))
        },
        Kind::TitleTransferred(e) => v1::EpcisView {
            sources: reference("owning_party", &e.seller).into_iter().collect(),
            destinations: reference("owning_party", &e.buyer).into_iter().collect(),
            ..view(object, "OBSERVE", "accepting", "active")
        },
        Kind::Imported(_) | Kind::Exported(_) => view(object, "OBSERVE", "", ""),
        Kind::Recalled(_) | Kind::RecallLifted(_) => view(object, "OBSERVE", "holding", ""),
        // Only events about containment (and transactions) can name a parent.
        Kind::Observed(e) if !e.parent.is_empty() => {
            at(&e.facility, view("AggregationEvent", "OBSERVE", "", ""))
        }
        Kind::Observed(e) => at(&e.facility, view(object, "OBSERVE", "", "")),
        Kind::PartyEnrolled(_)
        | Kind::FacilityRegistered(_)
        | Kind::KeyAuthorised(_)
        | Kind::KeyRotated(_)
        | Kind::KeyRetired(_)
        | Kind::KeyCompromised(_)
        | Kind::FeedClosed(_)
        | Kind::RulePackAdopted(_)
        | Kind::ListPublished(_)
        | Kind::ListWithdrawn(_)
        | Kind::WaiverGranted(_)
        | Kind::WaiverRevoked(_)
        | Kind::ApprovalGranted(_)
        | Kind::ApprovalRevoked(_)
        | Kind::ParametersChanged(_)
        | Kind::LogKeyAdded(_)
        | Kind::LogKeyRetired(_)
        | Kind::AuthorityChanged(_)
        | Kind::ActApproved(_)
        | Kind::OwnershipDeclared(_)
        | Kind::BoardDeclared(_)
        | Kind::LicencesDeclared(_)
        | Kind::SuccessionDeclared(_)
        | Kind::ProductDeclared(_)
        | Kind::DelegationGranted(_)
        | Kind::DelegationRevoked(_)
        | Kind::Certified(_)
        | Kind::ShipmentLapsed(_)
        | Kind::RecallAcknowledged(_)
        | Kind::RecallCompleted(_)
        | Kind::Corrected(_)
        | Kind::Voided(_) => return None,
    })
}
