//! From a normal EPCIS event to ours: which of our kinds it is, and what its members mean in it.
//!
//! | type, action | step | ours |
//! |---|---|---|
//! | Object ADD | commissioning, `creating_class_instance`, none | commissioned |
//! | Object, Transaction ADD and OBSERVE; Aggregation, Association OBSERVE | shipping, receiving, accepting | shipped, received, custody or title transferred |
//! | Object DELETE | shipping | shipped |
//! | the same, and DELETE | `void_shipping` | shipment withdrawn |
//! | Object, Transaction | steps that move nothing, `owning_party` changes | title transferred |
//! | Object OBSERVE | inspecting; with DELETE inspecting, sampling | inspected; destructive |
//! | Object OBSERVE | holding | held; released if available; recalled or lifted by persistent disposition |
//! | Object DELETE | destroying, decommissioning, none; destroying with OBSERVE | scrapped |
//! | Object OBSERVE | `stock_taking`, `cycle_counting` | stock counted |
//! | Transformation | | transformed; split, merged, recycled by our `operation` |
//! | Aggregation, Association ADD, DELETE | | aggregated, disaggregated, assembled, disassembled |
//! | anything else | | observed |
//!
//! The members stay in the view of the event, so nothing depends on how well this table understands them. One
//! event becomes one of ours: where it says a second thing, a note names what was not taken. Departing, arriving
//! and the like are not read as shipping and receiving: a sender who says both would ship the same things twice.

mod moved;

use serde_json::{Map, Value};

use super::{
    NAMESPACE,
    context::Context,
    finding::Code,
    members::{MASTER_DATA, bare_item, class_lot, held, is_country, items, losses, text, things, view},
    normal, serials,
};
use crate::wire::{
    form,
    v1::{self, event::Kind},
};

/// A normal event, read.
pub(super) struct Read {
    pub(super) kind: Kind,
    pub(super) view: v1::EpcisView,
    /// Code, path, detail.
    pub(super) notes: Vec<(Code, &'static str, String)>,
}

/// Reads a normal event that has been checked.
pub(super) fn read(event: &Map<String, Value>) -> Read {
    let mut reader = Reader {
        event,
        view: view(event),
        notes: Vec::new(),
    };
    let kind = reader.kind();
    Read {
        kind,
        view: reader.view,
        notes: reader.notes,
    }
}

struct Reader<'a> {
    event: &'a Map<String, Value>,
    view: v1::EpcisView,
    notes: Vec<(Code, &'static str, String)>,
}

impl Reader<'_> {
    fn kind(&mut self) -> Kind {
        let operation = text(self.event, &format!("{NAMESPACE}operation"));
        let (action, step) = (self.view.action.clone(), self.view.biz_step.clone());
        let kind = match (self.view.r#type.as_str(), action.as_str(), step.as_str()) {
            ("ObjectEvent", action, step) => self.object(action, step, &operation),
            ("TransactionEvent", "ADD" | "OBSERVE", step)
            | ("AggregationEvent" | "AssociationEvent", "OBSERVE", step) => self.moved(step),
            ("TransactionEvent", "DELETE", "void_shipping") => self.moved("void_shipping"),
            ("TransformationEvent", ..) => Some(self.transformation(&operation)),
            ("AggregationEvent" | "AssociationEvent", "ADD" | "DELETE", _) => self.containment(&action),
            _ => None,
        };
        let kind = kind
            .or_else(|| self.sold(&action, &step))
            .unwrap_or_else(|| self.observed());
        self.note_second_meaning(&kind, &step);
        kind
    }

    fn object(&mut self, action: &str, step: &str, operation: &str) -> Option<Kind> {
        Some(match (action, step, operation) {
            ("ADD", _, "opening_balance") => Kind::OpeningBalanceDeclared(v1::OpeningBalanceDeclared {
                facility: self.facility(),
                items: self.all_items(),
            }),
            ("OBSERVE", _, "refuse_delivery") => Kind::DeliveryRefused(v1::DeliveryRefused {
                items: items(self.event, "quantityList"),
                facility: self.place_left(),
                shipment: self.shipment(),
                reason: String::new(),
                serials: self.serials("epcList"),
            }),
            ("OBSERVE", _, "import") if self.country().is_some() => Kind::Imported(v1::Imported {
                items: items(self.event, "quantityList"),
                serials: self.serials("epcList"),
                country: self.country().unwrap_or_default(),
                declaration: String::new(),
            }),
            ("OBSERVE", _, "export") if self.country().is_some() => Kind::Exported(v1::Exported {
                items: items(self.event, "quantityList"),
                serials: self.serials("epcList"),
                country: self.country().unwrap_or_default(),
                declaration: String::new(),
            }),
            ("ADD", "commissioning" | "creating_class_instance" | "", _) => {
                let ilmd = self.event.get("ilmd").and_then(Value::as_object);
                let country = ilmd
                    .map(|ilmd| text(ilmd, &format!("{MASTER_DATA}countryOfOrigin")))
                    .filter(|country| is_country(country));
                Kind::Commissioned(v1::Commissioned {
                    facility: self.facility(),
                    operator: String::new(),
                    items: items(self.event, "quantityList"),
                    serials: self.serials("epcList"),
                    class_lot: self.class_lot("epcList"),
                    country_of_origin: country.unwrap_or_default(),
                })
            }
            ("ADD", ..) | ("DELETE", "shipping" | "void_shipping", _) => {
                let moved = self.moved(step)?;
                self.note_action(action, step);
                moved
            }
            ("OBSERVE", "inspecting", _) => self.inspected(None),
            ("DELETE", "sampling", _) => self.inspected(Some(true)),
            ("DELETE", "inspecting", _) => {
                self.note_action(action, step);
                self.inspected(Some(true))
            }
            ("OBSERVE", "holding", _) => self.holding()?,
            ("DELETE", "destroying" | "decommissioning" | "", _) => self.scrapped(),
            ("OBSERVE", "destroying", _) => {
                self.note_action(action, step);
                self.scrapped()
            }
            ("OBSERVE", "stock_taking" | "cycle_counting", _) => Kind::StockCounted(v1::StockCounted {
                facility: self.facility(),
                items: self.all_items(),
            }),
            ("OBSERVE", ..) => self.moved(step)?,
            _ => return None,
        })
    }

    fn scrapped(&self) -> Kind {
        Kind::Scrapped(v1::Scrapped {
            items: items(self.event, "quantityList"),
            serials: self.serials("epcList"),
            facility: self.place_left(),
            reason: String::new(),
        })
    }

    fn inspected(&self, destructive: Option<bool>) -> Kind {
        let result = match self.view.disposition.as_str() {
            stated @ ("conformant" | "non_conformant") => stated,
            _ => "",
        };
        let facility = if destructive == Some(true) {
            self.place_left()
        } else {
            self.facility()
        };
        Kind::Inspected(v1::Inspected {
            facility,
            items: items(self.event, "quantityList"),
            serials: self.serials("epcList"),
            result: result.to_owned(),
            documents: Vec::new(),
            destructive,
        })
    }

    fn holding(&mut self) -> Option<Kind> {
        let marks = |key: &str| {
            self.event
                .get("persistentDisposition")
                .and_then(|persistent| persistent.get(key))
                .and_then(Value::as_array)
                .is_some_and(|list| list.iter().any(|word| word.as_str() == Some("recalled")))
        };
        let recall = text(self.event, &format!("{NAMESPACE}recall"));
        let recall = if held(&recall) { recall } else { String::new() };
        if marks("set") {
            let recall = if recall.is_empty() {
                let named = normal::normal_identifier(&text(self.event, "eventID"), &Context::default());
                if held(&named) {
                    self.notes.push((Code::RecallNamedByEvent, "", named.clone()));
                }
                named
            } else {
                recall
            };
            if !held(&recall) {
                return None;
            }
            return Some(Kind::Recalled(v1::Recalled {
                recall,
                items: items(self.event, "quantityList"),
                serials: self.serials("epcList"),
                reason: Some(text(self.event, &format!("{NAMESPACE}recallReason")))
                    .filter(|reason| {
                        reason.len() <= form::TEXT_LEN_MAX && !reason.chars().any(char::is_control)
                    })
                    .unwrap_or_default(),
            }));
        }
        if marks("unset") {
            if recall.is_empty() {
                // Which of several recalls is lifted, nobody but the sender knows.
                return None;
            }
            return Some(Kind::RecallLifted(v1::RecallLifted {
                recall,
                items: self.all_items(),
            }));
        }
        if self.view.disposition == "available" {
            return Some(Kind::Released(v1::Released {
                items: items(self.event, "quantityList"),
                serials: self.serials("epcList"),
                facility: self.facility(),
            }));
        }
        Some(Kind::Held(v1::Held {
            items: items(self.event, "quantityList"),
            serials: self.serials("epcList"),
            reason: String::new(),
            facility: self.facility(),
        }))
    }

    fn transformation(&mut self, operation: &str) -> Kind {
        let one = |quantities: &str, instances: &str| {
            let mut all = items(self.event, quantities);
            all.extend(things(self.event, instances).into_iter().map(bare_item));
            all
        };
        let inputs = || one("inputQuantityList", "inputEPCList");
        let outputs = || one("outputQuantityList", "outputEPCList");
        let facility = self.facility();
        match operation {
            "split" => {
                if let [from] = inputs().as_slice() {
                    return Kind::Split(v1::Split {
                        lot: from.lot.clone(),
                        quantity: from.quantity.clone(),
                        into: outputs(),
                        facility,
                    });
                }
            }
            "merge" => {
                if let [into] = outputs().as_slice() {
                    return Kind::Merged(v1::Merged {
                        from: inputs(),
                        lot: into.lot.clone(),
                        quantity: into.quantity.clone(),
                        facility,
                    });
                }
            }
            "recycle" => {
                return Kind::Recycled(v1::Recycled {
                    facility,
                    inputs: items(self.event, "inputQuantityList"),
                    input_serials: self.serials("inputEPCList"),
                    outputs: outputs(),
                    ..Default::default()
                });
            }
            _ => {}
        }
        let run = text(self.event, "transformationID");
        if !run.is_empty() && !held(&run) {
            let detail = format!("{run} does not join the events of its run");
            self.note(Code::IdentifierCarried, "/transformationID", detail);
        }
        Kind::Transformed(v1::Transformed {
            facility,
            inputs: items(self.event, "inputQuantityList"),
            input_serials: self.serials("inputEPCList"),
            outputs: items(self.event, "outputQuantityList"),
            output_serials: self.serials("outputEPCList"),
            class_lot: self.class_lot("outputEPCList"),
            losses: losses(self.event),
            run: if held(&run) { run } else { String::new() },
            ..v1::Transformed::default()
        })
    }

    fn containment(&mut self, action: &str) -> Option<Kind> {
        let parent = text(self.event, "parentID");
        if parent.is_empty() {
            return None;
        }
        let items = items(self.event, "childQuantityList");
        let serials = self.serials("childEPCs");
        let facility = self.facility();
        let aggregation = self.view.r#type == "AggregationEvent";
        let step = self.view.biz_step.clone();
        let against = match action {
            "ADD" => ["unpacking", "unloading", "disassembling", "removing"],
            _ => ["packing", "loading", "assembling", "installing"],
        };
        if against.contains(&step.as_str()) {
            self.note_action(action, &step);
        }
        Some(match (aggregation, action) {
            (true, "ADD") => Kind::Aggregated(v1::Aggregated {
                parent,
                items,
                serials,
                facility,
            }),
            (true, _) => Kind::Disaggregated(v1::Disaggregated {
                parent,
                items,
                serials,
                facility,
            }),
            (false, "ADD") => Kind::Assembled(v1::Assembled {
                parent,
                items,
                serials,
                facility,
                ..v1::Assembled::default()
            }),
            (false, _) => Kind::Disassembled(v1::Disassembled {
                parent,
                items,
                serials,
                facility,
                operator: String::new(),
            }),
        })
    }

    fn observed(&self) -> Kind {
        let contained = matches!(self.view.r#type.as_str(), "AggregationEvent" | "AssociationEvent");
        let (quantities, instances) = if contained {
            ("childQuantityList", "childEPCs")
        } else {
            ("quantityList", "epcList")
        };
        // Of an event of somebody else's type nothing is understood; all of it is carried.
        let known = self.view.r#type.ends_with("Event") && !self.view.r#type.contains(':');
        if !known {
            return Kind::Observed(v1::Observed::default());
        }
        let parent = text(self.event, "parentID");
        Kind::Observed(v1::Observed {
            facility: self.facility(),
            parent: if held(&parent) { parent } else { String::new() },
            items: items(self.event, quantities),
            serials: self.serials(instances),
        })
    }

    fn serials(&self, key: &str) -> Vec<v1::SerialRun> {
        serials::compress(things(self.event, key))
    }

    /// Quantities and instances in one list, for kinds that have no other.
    fn all_items(&self) -> Vec<v1::Item> {
        let mut all = items(self.event, "quantityList");
        all.extend(things(self.event, "epcList").into_iter().map(bare_item));
        all
    }

    /// The lot that serials of one GTIN are said to be members of, by their instance and lot master data.
    fn class_lot(&self, key: &str) -> String {
        let lot = self
            .event
            .get("ilmd")
            .and_then(Value::as_object)
            .map(|ilmd| text(ilmd, &format!("{MASTER_DATA}lotNumber")))
            .unwrap_or_default();
        let serials = things(self.event, key);
        class_lot(&serials, &lot).unwrap_or_default()
    }

    fn country(&self) -> Option<String> {
        Some(text(self.event, &format!("{NAMESPACE}country"))).filter(|country| is_country(country))
    }
}
