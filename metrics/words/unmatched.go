package words

import (
	"fmt"

	"cairn/metrics"
)

// FoundBy says by which rule the commit of a deployment was found.
func FoundBy(rule string) string {
	switch rule {
	case "commit":
		return "told with the deployment"
	case "origin_revision":
		return "from the origin of the configuration"
	case "image_label":
		return "from the label of the image"
	case "artifact":
		return "from what was built of it"
	case "image_tag":
		return "from the tag of the image"
	case "release_tag":
		return "from the release"
	}
	return Plain(rule)
}

// UnmatchedSentences say how much could not be joined.
func UnmatchedSentences(u metrics.Unmatched) []string {
	var list []string
	missing, all := int64(0), int64(0)
	for _, c := range u.Commits {
		missing, all = missing+c.N, all+c.N
		for _, n := range c.Rules {
			all += n
		}
	}
	switch {
	case u.Catalogue == 0 && u.All > 0:
		list = append(list, fmt.Sprintf("No catalogue describes the services, so each of %s is one.", Counted(u.All, "name")))
	case u.All > 0:
		list = append(list, Counted(u.All, "name")+" of facts "+verb(u.All, "is", "are")+" none of a service.")
	case u.Catalogue > 0:
		list = append(list, "Every fact is told under the name of a service.")
	}
	if n := int64(len(u.Claims)); n > 0 {
		list = append(list, Counted(n, "name")+" "+verb(n, "belongs", "belong")+" to several services.")
	}
	if u.TwiceAll > 0 {
		list = append(list, "Two sources tell the same deployments of "+Counted(u.TwiceAll, "service")+".")
	}
	switch {
	case missing > 0:
		list = append(list, fmt.Sprintf("Of %s, %s without a known commit.", Counted(all, "deployment"), Grouped(missing)+" "+verb(missing, "is", "are")))
	case all > 0:
		list = append(list, fmt.Sprintf("The commit of every deployment is known (%s).", Grouped(all)))
	}
	if list == nil {
		return []string{"Nothing was told yet."}
	}
	return list
}

func verb(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
