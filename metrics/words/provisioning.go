package words

import (
	"fmt"

	"cairn/metrics"
)

// ProvisioningSentences say how what was asked of the platform went.
func ProvisioningSentences(ways []metrics.RequestWay) []string {
	var asked, ready, failed, open, alone int64
	for _, w := range ways {
		asked, ready, failed, open, alone = asked+w.Requests, ready+w.Ready, failed+w.Failed, open+w.Open, alone+w.OnPlatform
	}
	if asked == 0 {
		return []string{"Nothing was asked of the platform in this window."}
	}
	list := []string{fmt.Sprintf("%s, %s without a person in between.", Counted(asked, "request"), Grouped(alone))}
	said := Grouped(ready) + " became ready"
	if failed > 0 {
		said += fmt.Sprintf(", %s failed", Grouped(failed))
	}
	if open > 0 {
		said += fmt.Sprintf(", %s %s open", Grouped(open), verb(open, "is", "are"))
	}
	return append(list, said+".")
}
