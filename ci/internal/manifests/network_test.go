package manifests

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// A peer is one end of a connection: a pod, or something else that has only an address.
type peer struct {
	namespace string
	labels    map[string]string
	address   string
}

func (p peer) isPod() bool { return p.namespace != "" }

// flows judges connections by network policies, by the rules in the API's documentation. If
// policies of a direction select a pod, the pod may have the connections that at least one
// of these policies allows. If no policy selects it, it may have any connection.
type flows struct{ policies []networkingv1.NetworkPolicy }

func (f flows) allowed(from, to peer, protocol corev1.Protocol, port int32) bool {
	return f.side(from, to, protocol, port, networkingv1.PolicyTypeEgress) &&
		f.side(to, from, protocol, port, networkingv1.PolicyTypeIngress)
}

// side asks whether the pod's policies of one direction let it have this
// connection with other.
func (f flows) side(pod, other peer, protocol corev1.Protocol, port int32, direction networkingv1.PolicyType) bool {
	if !pod.isPod() {
		return true
	}
	selected := false
	for _, p := range f.policies {
		if p.Namespace != pod.namespace || !matches(&p.Spec.PodSelector, pod.labels) || !has(p.Spec.PolicyTypes, direction) {
			continue
		}
		selected = true
		if direction == networkingv1.PolicyTypeIngress {
			for _, rule := range p.Spec.Ingress {
				if peersMatch(p.Namespace, rule.From, other) && portsMatch(rule.Ports, protocol, port) {
					return true
				}
			}
			continue
		}
		for _, rule := range p.Spec.Egress {
			if peersMatch(p.Namespace, rule.To, other) && portsMatch(rule.Ports, protocol, port) {
				return true
			}
		}
	}
	return !selected
}

func has(types []networkingv1.PolicyType, want networkingv1.PolicyType) bool {
	return slices.Contains(types, want)
}

func matches(s *metav1.LabelSelector, have map[string]string) bool {
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(labels.Set(have))
}

// peersMatch tells whether a peer is in the list; an empty list means every peer.
func peersMatch(namespace string, peers []networkingv1.NetworkPolicyPeer, p peer) bool {
	for _, want := range peers {
		switch {
		case want.IPBlock != nil:
			prefix, err := netip.ParsePrefix(want.IPBlock.CIDR)
			if err == nil && p.address != "" && prefix.Contains(netip.MustParseAddr(p.address)) {
				return true
			}
		case !p.isPod():
		case want.NamespaceSelector == nil && p.namespace != namespace:
		case want.NamespaceSelector != nil && !matches(want.NamespaceSelector, map[string]string{"kubernetes.io/metadata.name": p.namespace}):
		case want.PodSelector != nil && !matches(want.PodSelector, p.labels):
		default:
			return true
		}
	}
	return len(peers) == 0
}

// portsMatch tells whether a port is in the list; an empty list means every port.
func portsMatch(ports []networkingv1.NetworkPolicyPort, protocol corev1.Protocol, port int32) bool {
	for _, want := range ports {
		if *want.Protocol == protocol && want.Port.IntVal == port {
			return true
		}
	}
	return len(ports) == 0
}

// The policies allow the connections of the data flow, and no other.
func TestNetworkPolicies(t *testing.T) {
	forEach(t, func(t *testing.T, l *lab) {
		peers := map[string]peer{
			"outside":      {address: "203.0.113.7"},
			"API server":   {address: "10.96.0.1"},
			"kubelet":      {address: "172.18.0.2"},
			"DNS":          {namespace: "kube-system", labels: map[string]string{"k8s-app": "kube-dns"}},
			"system pod":   {namespace: "kube-system", labels: map[string]string{"k8s-app": "other"}},
			"stranger":     {namespace: "default", labels: map[string]string{"app": "stranger"}},
			"poser":        {namespace: "default", labels: map[string]string{"app.kubernetes.io/name": "frontend", componentLabel: jobComponent}},
			"new service":  {namespace: "app", labels: map[string]string{"app.kubernetes.io/name": "new"}},
			"new observer": {namespace: "observability", labels: map[string]string{"app.kubernetes.io/name": "new"}},
		}
		for _, w := range l.pods(t) {
			name := w.meta.Name
			if w.kind == "Job" {
				name = "job " + w.meta.Labels["app.kubernetes.io/name"]
			}
			peers[name] = peer{namespace: w.meta.Namespace, labels: w.template.Labels}
		}
		f := flows{l.policies}
		for _, test := range flowTable() {
			from, ok := peers[test.from]
			to, ok2 := peers[test.to]
			if !ok || !ok2 {
				t.Fatalf("no peer %q or %q", test.from, test.to)
			}
			protocol := corev1.ProtocolTCP
			if test.port == 53 {
				protocol = corev1.ProtocolUDP
			}
			if got := f.allowed(from, to, protocol, test.port); got != test.allowed {
				t.Errorf("%s → %s:%d allowed: %v, want %v", test.from, test.to, test.port, got, test.allowed)
			}
			if test.to == "new service" {
				continue // an application listens on the port of its choice
			}
			// The connection is allowed on that port only, and both ends have a policy
			// that says so.
			if test.allowed && from.isPod() && f.side(from, to, protocol, 9999, networkingv1.PolicyTypeEgress) {
				t.Errorf("%s may send to %s on every port", test.from, test.to)
			}
			if test.allowed && to.isPod() && test.to != "DNS" && f.side(to, from, protocol, 9999, networkingv1.PolicyTypeIngress) {
				t.Errorf("%s may receive from %s on every port", test.to, test.from)
			}
		}
		for _, namespace := range []string{target.NamespaceApp, target.NamespaceObservability} {
			if !denies(l.policies, namespace) {
				t.Errorf("%s has no policy that denies everything", namespace)
			}
		}
	})
}

// denies tells whether a policy of the namespace selects every pod, in both directions, and
// allows no connection.
func denies(policies []networkingv1.NetworkPolicy, namespace string) bool {
	for _, p := range policies {
		if p.Namespace == namespace && matches(&p.Spec.PodSelector, nil) && len(p.Spec.PolicyTypes) == 2 &&
			len(p.Spec.Ingress) == 0 && len(p.Spec.Egress) == 0 {
			return true
		}
	}
	return false
}

type flow struct {
	from, to string
	port     int32
	allowed  bool
}

func flowTable() []flow {
	table := []flow{
		{"outside", "frontend", 8080, true},
		{"outside", "grafana", 3000, true},
		{"frontend", "backend", 8081, true},
		{"frontend", "alloy", 4318, true},
		{"backend", "alloy", 4317, true},
		{"new service", "alloy", 4317, true},
		{"alloy", "tempo", 4318, true},
		{"alloy", "loki", 3100, true},
		{"alloy", "mimir", 8080, true},
		{"alloy", "tempo", 3200, true},
		{"alloy", "kubelet", 10250, true},
		{"alloy", "API server", 443, true},
		{"alloy", "API server", 6443, true},
		{"tempo", "mimir", 8080, true},
		{"grafana", "loki", 3100, true},
		{"grafana", "tempo", 3200, true},
		{"grafana", "mimir", 8080, true},

		{"outside", "backend", 8081, false},
		{"outside", "alloy", 4317, false},
		{"outside", "alloy", 12345, false},
		{"outside", "loki", 3100, false},
		{"outside", "tempo", 3200, false},
		{"outside", "mimir", 8080, false},
		{"stranger", "backend", 8081, false},
		{"stranger", "alloy", 4318, false},
		{"poser", "backend", 8081, false},
		{"poser", "loki", 3100, false},
		{"new service", "backend", 8081, false},
		{"new observer", "mimir", 8080, false},
		{"new observer", "outside", 443, false},
		{"system pod", "mimir", 8080, false},
		{"backend", "frontend", 8080, false},
		{"backend", "outside", 443, false},
		{"backend", "API server", 443, false},
		{"frontend", "outside", 443, false},
		{"frontend", "loki", 3100, false},
		{"frontend", "system pod", 53, false},
		{"alloy", "outside", 80, false},
		{"alloy", "grafana", 3000, false},
		{"loki", "outside", 80, false},
		{"loki", "tempo", 3200, false},
		{"mimir", "loki", 3100, false},
		{"tempo", "loki", 3100, false},
		{"grafana", "outside", 443, false},
		{"grafana", "alloy", 12345, false},
		{"grafana", "backend", 8081, false},
		{"grafana", "tempo", 4318, false},
		{"job verify", "alloy", 4318, true},
		{"job verify", "alloy", 4317, false},
		{"job verify", "new service", 8000, true},
		{"job verify", "stranger", 8000, false},
		{"job verify", "frontend", 8000, false},
		{"poser", "new service", 8000, false},
		{"new observer", "new service", 8000, false},
		{"job verify", "API server", 443, false},
		{"job traffic", "outside", 443, false},
	}
	for _, who := range []string{"frontend", "backend", "alloy", "loki", "tempo", "mimir", "grafana", "job traffic", "job verify"} {
		table = append(table, flow{who, "DNS", 53, true}, flow{who, "DNS", 9153, false})
	}
	for _, job := range []string{"job traffic", "job verify"} {
		for _, to := range []flow{{to: "frontend", port: 8080}, {to: "backend", port: 8081}, {to: "alloy", port: 12345}, {to: "loki", port: 3100},
			{to: "tempo", port: 3200}, {to: "mimir", port: 8080}, {to: "grafana", port: 3000}} {
			table = append(table, flow{job, to.to, to.port, true})
		}
	}
	return table
}

// The evaluator itself gives the known answers.
func TestFlows(t *testing.T) {
	pod := func(name string) peer { return peer{namespace: "n", labels: map[string]string{"name": name}} }
	select_ := func(name string) metav1.LabelSelector {
		return metav1.LabelSelector{MatchLabels: map[string]string{"name": name}}
	}
	deny := networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "n"}, Spec: networkingv1.NetworkPolicySpec{
		PodSelector: select_("b"), PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
	}}
	selector := select_("a")
	allow := *deny.DeepCopy()
	allow.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{PodSelector: &selector}}}}
	for i, test := range []struct {
		policies []networkingv1.NetworkPolicy
		from     string
		want     bool
	}{
		{nil, "a", true}, {[]networkingv1.NetworkPolicy{deny}, "a", false},
		{[]networkingv1.NetworkPolicy{deny, allow}, "a", true}, {[]networkingv1.NetworkPolicy{deny, allow}, "c", false},
	} {
		if got := (flows{test.policies}).allowed(pod(test.from), pod("b"), corev1.ProtocolTCP, 1); got != test.want {
			t.Errorf("%s: allowed: %v, want %v", fmt.Sprint(i), got, test.want)
		}
	}
}
