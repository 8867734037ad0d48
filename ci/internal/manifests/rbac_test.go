package manifests

import (
	"reflect"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Alloy is the only workload of the lab's own that asks the API server, and these are all
// its rights. Before you add a rule, know which component of Alloy needs it, and for which
// request:
//
//   - nodes: discovery.kubernetes with the role node lists and watches them;
//   - pods: so does k8sattributes;
//   - nodes/metrics: a kubelet demands this right before it answers GET /metrics….
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
			t.Error("Alloy has no ClusterRole")
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

// No other workload has a role, except metrics-server if it is wanted: it has the roles of
// its project, and one for `kubectl top`.
func TestRoles(t *testing.T) {
	for variant, want := range map[string]int{"kind": 1, "kind with metrics-server": 3, "production": 1} {
		if roles := buildVariant(t, variant).roles; len(roles) != want {
			t.Errorf("%s: %d cluster roles, want %d", variant, len(roles), want)
		}
	}
}
