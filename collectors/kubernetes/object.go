package kubernetes

import (
	"encoding/json"
	"time"

	"cairn/internal/fault"
	"cairn/internal/hook"
)

// object is what every object of Kubernetes has, and the conditions that most have.
type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name              string            `json:"name"`
		Namespace         string            `json:"namespace"`
		UID               string            `json:"uid"`
		ResourceVersion   string            `json:"resourceVersion"`
		CreationTimestamp instant           `json:"creationTimestamp"`
		DeletionTimestamp instant           `json:"deletionTimestamp"`
		Labels            map[string]string `json:"labels"`
		Annotations       map[string]string `json:"annotations"`
		OwnerReferences   []struct {
			Controller bool `json:"controller"`
		} `json:"ownerReferences"`
		ManagedFields []struct {
			Time        instant `json:"time"`
			Subresource string  `json:"subresource"`
		} `json:"managedFields"`
	} `json:"metadata"`
	// Status is read apart: a definition may give it any shape.
	Status json.RawMessage `json:"status"`

	conditions []condition
}

// condition is one of the things that hold of an object, or do not.
type condition struct {
	Type               string  `json:"type"`
	Status             string  `json:"status"`
	Reason             string  `json:"reason"`
	LastTransitionTime instant `json:"lastTransitionTime"`
}

// instant is an instant of Kubernetes; what is none is zero.
type instant struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (i *instant) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s) == nil {
		i.Time, _ = hook.Instant("", s)
	}
	return nil
}

// readObject reads an object. Errors are fault.Unavailable: the cluster's answer is none.
func readObject(text []byte) (*object, error) {
	var o object
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, fault.New(fault.Unavailable, "an object cannot be read: %w", err)
	}
	var s struct {
		Conditions []condition `json:"conditions"`
	}
	if json.Unmarshal(o.Status, &s) == nil {
		o.conditions = s.Conditions
	}
	return &o, nil
}

// path is namespace and name; the name alone where there is no namespace.
func (o *object) path() string {
	if o.Metadata.Namespace == "" {
		return o.Metadata.Name
	}
	return o.Metadata.Namespace + "/" + o.Metadata.Name
}

// condition of a type; without one its Status is "".
func (o *object) condition(kind string) condition {
	for _, c := range o.conditions {
		if c.Type == kind {
			return c
		}
	}
	return condition{}
}

// controlled says that another object made this one and looks after it: no person asked for it.
func (o *object) controlled() bool {
	for _, owner := range o.Metadata.OwnerReferences {
		if owner.Controller {
			return true
		}
	}
	return false
}

// changed is when what is not the object's status was changed last.
func (o *object) changed() time.Time {
	at := o.Metadata.CreationTimestamp.Time
	for _, f := range o.Metadata.ManagedFields {
		if f.Subresource == "" {
			at = latest(at, f.Time.Time)
		}
	}
	return at
}

func latest(of ...time.Time) (t time.Time) {
	for _, u := range of {
		if u.After(t) {
			t = u
		}
	}
	return t
}
