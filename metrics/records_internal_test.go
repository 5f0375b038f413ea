package metrics

import (
	"testing"

	"cairn/internal/fault"
	"cairn/internal/store"
)

// A cursor that was not given out is refused, whatever stands in it, and one that was leads on from where it says.
func FuzzCursor(f *testing.F) {
	for _, text := range []string{"", "%", "W10", cursor("deployments", "0", "shop", "d1"), cursor("deployments", "soon", "", ""), cursor("changes", "0", "a", "b", "c"), cursor("deployments", "-1", "a", "b")} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v := store.Params{}
		_, err := Paging{Cursor: text}.newest("deployments", v, "service", "id")
		switch {
		case fault.KindOf(err) == fault.Invalid && err != nil:
		case err != nil:
			t.Errorf("got %v, want a fault of the input", err)
		case text == "":
			if v["first"] != true {
				t.Error("no cursor is not the beginning")
			}
		case v["first"] != false || v["after_at"] == nil || v["after_service"] == nil || v["after_id"] == nil:
			t.Errorf("%q: got the values %v", text, v)
		}
	})
}

func TestACursorLeadsBackToItsPlace(t *testing.T) {
	keys := []string{"1767312000123", "a\"b\\c\x00ä", "</>&"}
	got, err := Paging{Cursor: cursor("deployments", keys...)}.after("deployments", 3)
	if err != nil || len(got) != 3 || got[0] != keys[0] || got[1] != keys[1] || got[2] != keys[2] {
		t.Errorf("got %q, %v, want %q", got, err, keys)
	}
}
