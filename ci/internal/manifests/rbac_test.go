package manifests

import (
	"reflect"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Alloy is the one of the lab's own workloads that asks the API server, and this is
// all that it may. A rule more is a decision: what reads it, and of which path?
//
//   - nodes: discovery.kubernetes with the role node lists and watches them;
//   - pods: so does k8sattributes;
//   - nodes/metrics: what a kubelet asks for before it answers GET /metrics….
func TestAlloyMayReadNoMore(t *testing.T) {
	want := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"nodes", "pods"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{""}, Resources: []string{"nodes/metrics"}, Verbs: []string{"get"}},
	}
	forEach(t, func(t *testing.T, l *lab) {
		found := false
		for _, role := range l.roles {
			if role.Labels["app.kubernetes.io/name"] != "alloy" {
				continue
			}
			if found = true; !reflect.DeepEqual(role.Rules, want) {
				t.Errorf("%s: the rules are\n%+v\nwant\n%+v", role.Name, role.Rules, want)
			}
		}
		if !found {
			t.Error("there is no ClusterRole of Alloy's")
		}
		for _, b := range l.bindings {
			for _, s := range b.Subjects {
				if s.Name == "alloy" && b.RoleRef.Name != "lgtm-lab-alloy" {
					t.Errorf("%s: gives Alloy the role %s, too", b.Name, b.RoleRef.Name)
				}
			}
		}
	})
}

// Nobody else has a role, but metrics-server where it is asked for: it has those of
// its project, and one for `kubectl top`.
func TestRoles(t *testing.T) {
	for variant, want := range map[string]int{"kind": 1, "kind with metrics-server": 3, "production": 1} {
		if roles := buildVariant(t, variant).roles; len(roles) != want {
			t.Errorf("%s: %d cluster roles, want %d", variant, len(roles), want)
		}
	}
}
