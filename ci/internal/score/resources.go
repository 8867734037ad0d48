package score

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/conventions"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/facts"
)

// maxEvidence is the number of sentences that a rule shows of one kind.
const maxEvidence = 5

const noResource = "no resource arrived in the time that the score covers"

func serviceName(s facts.Service) verdict {
	if len(s.Resources) == 0 {
		return verdict{reason: noResource}
	}
	if strings.TrimSpace(s.Name) != "" {
		return verdict{}
	}
	return verdict{evidence: []string{fmt.Sprintf("%d resources have no service.name", len(s.Resources))}}
}

func instancePresent(s facts.Service) verdict {
	if len(s.Resources) == 0 {
		return verdict{reason: noResource}
	}
	return resourcesWithout(s.Resources, "service.instance.id")
}

// resourcesWithout is the evidence of resources that lack an attribute.
func resourcesWithout(resources []facts.Resource, key string) verdict {
	var lacking []string
	for _, r := range resources {
		if r.Attributes[key] == "" {
			lacking = append(lacking, describe(r))
		}
	}
	if len(lacking) == 0 {
		return verdict{}
	}
	return verdict{evidence: []string{fmt.Sprintf("%d of %d resources have no %s, such as that with %s", len(lacking), len(resources), key, lacking[0])}}
}

// describe names a resource for people.
func describe(r facts.Resource) string {
	for _, key := range []string{"k8s.pod.name", "container.id", "host.name", "service.instance.id", "telemetry.sdk.language", "service.name"} {
		if v := r.Attributes[key]; v != "" {
			return key + "=" + v
		}
	}
	return "no attribute that names it"
}

// identities are the attributes that tell one logical resource from another, the first that
// both resources have decides. A restart of a container or a process makes a new value, so
// theirs say something only about resources that sent at the same time.
var identities = []struct {
	key       string
	restarted bool
}{
	{"k8s.pod.name", false}, {"k8s.pod.uid", true}, {"container.id", true},
	{"host.id", true}, {"host.name", true}, {"process.pid", true},
}

func instanceUnique(s facts.Service) verdict {
	byID := map[string][]facts.Resource{}
	for _, r := range s.Resources {
		if id := r.Attributes["service.instance.id"]; id != "" {
			// Two services of one name in two namespaces are not one.
			key := r.Attributes["service.namespace"] + "\x00" + id
			byID[key] = append(byID[key], r)
		}
	}
	if len(byID) == 0 {
		return verdict{reason: "no resource has service.instance.id"}
	}
	var evidence []string
	for _, resources := range byID {
		if found := shared(resources); found != "" {
			evidence = append(evidence, found)
		}
	}
	slices.Sort(evidence)
	return verdict{evidence: evidence[:min(len(evidence), maxEvidence)]}
}

// shared says which two logical resources have the same id; "" if there are no two.
func shared(resources []facts.Resource) string {
	for i, a := range resources {
		for _, b := range resources[i+1:] {
			for _, identity := range identities {
				x, y := a.Attributes[identity.key], b.Attributes[identity.key]
				if identity.key == "k8s.pod.name" && x != "" && y != "" {
					x, y = a.Attributes["k8s.namespace.name"]+"/"+x, b.Attributes["k8s.namespace.name"]+"/"+y
				}
				if x == "" || y == "" {
					continue
				}
				if x == y || identity.restarted && !together(a, b) {
					if identity.key == "k8s.pod.name" {
						break // one pod
					}
					continue
				}
				if y < x {
					x, y = y, x
				}
				return fmt.Sprintf("service.instance.id=%s is sent with %s=%s and with %[2]s=%[4]s", a.Attributes["service.instance.id"], identity.key, x, y)
			}
		}
	}
	return ""
}

// together tells whether two resources sent during the same time.
func together(a, b facts.Resource) bool {
	return a.FirstSeen.Before(b.LastSeen) && b.FirstSeen.Before(a.LastSeen)
}

func podUID(s facts.Service) verdict {
	var pods []facts.Resource
	for _, r := range s.Resources {
		if inCluster(r) {
			pods = append(pods, r)
		}
	}
	if len(pods) == 0 {
		return verdict{reason: "no resource is of a pod: none has an attribute k8s.*"}
	}
	return resourcesWithout(pods, "k8s.pod.uid")
}

// inCluster tells whether a resource is of something that runs in a pod. Attributes of a
// cluster and of a node alone describe the node.
func inCluster(r facts.Resource) bool {
	for key := range r.Attributes {
		if strings.HasPrefix(key, "k8s.") && !strings.HasPrefix(key, "k8s.cluster.") && !strings.HasPrefix(key, "k8s.node.") {
			return true
		}
	}
	return false
}

// attributeLevels looks at the levels that are the rule's target: resource, span (with its
// events and links) and log.
func attributeLevels(s facts.Service) verdict {
	known := conventions.Load()
	var wrong []facts.Attribute
	for _, a := range s.Attributes {
		switch a.Level {
		case "resource", "span", "event", "link", "log":
			if known.Misplaced(a.Key, a.Level) {
				wrong = append(wrong, a)
			}
		}
	}
	slices.SortFunc(wrong, func(a, b facts.Attribute) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Level, b.Level), cmp.Compare(a.Key, b.Key))
	})
	var evidence []string
	for _, a := range wrong[:min(len(wrong), maxEvidence)] {
		belongs := "spans, log records or metrics"
		if a.Level != "resource" {
			belongs = "the resource"
		}
		evidence = append(evidence, fmt.Sprintf("%s is on a %s %d times and belongs on %s%s", a.Key, a.Level, a.Count, belongs, inTrace(a.TraceID)))
	}
	if len(s.Attributes) == 0 {
		return verdict{reason: "no attribute arrived"}
	}
	return verdict{evidence: evidence}
}

// inTrace is the end of a sentence that points to a trace.
func inTrace(id string) string {
	if id == "" {
		return ""
	}
	return ", as in trace " + id
}
