package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// right is something that the user must be allowed to do.
type right struct{ Verb, Group, Resource, Subresource, Namespace string }

// String is the right in the words of `kubectl auth can-i`.
func (r right) String() string {
	text := r.Verb + " " + r.Resource
	if r.Group != "" {
		text += "." + r.Group
	}
	if r.Subresource != "" {
		text += "/" + r.Subresource
	}
	if r.Namespace != "" {
		text += " -n " + r.Namespace
	}
	return text
}

// rightsFor are the rights that applying, watching and deleting the objects take.
func rightsFor(objects []object) []right {
	all := []right{
		{"list", "", "pods", "", target.NamespaceApp}, {"list", "", "pods", "", target.NamespaceObservability},
		{"get", "", "pods", "log", target.NamespaceObservability}, {"create", "batch", "jobs", "", target.NamespaceObservability},
		{"delete", "batch", "jobs", "", target.NamespaceObservability},
	}
	add := func(r right) {
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	for _, o := range objects {
		group, _, grouped := strings.Cut(o.APIVersion, "/")
		if !grouped {
			group = ""
		}
		resource := plural(o.Kind)
		for _, verb := range []string{"create", "patch", "delete"} {
			add(right{verb, group, resource, "", o.Metadata.Namespace})
		}
		add(right{"list", group, resource, "", ""})
	}
	return all
}

// plural is the name of the kind's resource.
func plural(kind string) string {
	name := strings.ToLower(kind)
	if stem, ok := strings.CutSuffix(name, "y"); ok {
		return stem + "ies"
	}
	return name + "s"
}

// checkRights asks the API server, as `kubectl auth can-i` does, about all rights at once.
func checkRights(ctx context.Context, w Workloads, p plan) ([]problem, error) {
	rights := rightsFor(p.objects)
	items := make([]any, len(rights))
	for i, r := range rights {
		items[i] = map[string]any{
			"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "metadata": map[string]any{},
			"spec": map[string]any{"resourceAttributes": map[string]any{
				"verb": r.Verb, "group": r.Group, "resource": r.Resource, "subresource": r.Subresource, "namespace": r.Namespace,
			}},
		}
	}
	asked, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
	if err != nil {
		return nil, err
	}
	out, err := w.Client.Kubectl(ctx, bytes.NewReader(asked), "create", "--filename=-", "--output=json")
	if err != nil {
		return nil, err
	}
	answers, err := parseJSON(out)
	if err != nil {
		return nil, err
	}
	if len(answers) != len(rights) {
		return nil, fmt.Errorf("the API server has answered %d of %d questions about your rights", len(answers), len(rights))
	}
	var missing []string
	for i, answer := range answers {
		var review struct{ Status struct{ Allowed bool } }
		if err := json.Unmarshal(answer.raw, &review); err != nil {
			return nil, err
		}
		if !review.Status.Allowed {
			missing = append(missing, rights[i].String())
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}
	return []problem{{
		What: fmt.Sprintf("you may not: %s", few(missing)),
		Do:   fmt.Sprintf("Ask for these rights (`%s auth can-i VERB RESOURCE` asks again), or give `lab manifests` to somebody who has them.", w.KubectlCommand),
	}}, nil
}
