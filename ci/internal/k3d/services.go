package k3d

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/compose"
)

const (
	// nodePort is the node's port that leads to the application.
	nodePort = 30080
	// usualPort is the port of the application's Service that grafana/oats asks.
	usualPort = 8080
	// doorName is the name of the Service that leads from nodePort to the application.
	doorName = "lab-check"
)

// stack returns the Service that stands for the lab in a namespace: it leads to the lab's
// OTLP endpoint at this address, outside of the cluster.
func stack(namespace, address string) ([]object, error) {
	meta := metav1.ObjectMeta{Name: compose.Host, Namespace: namespace, Labels: map[string]string{discoveryv1.LabelServiceName: compose.Host}}
	service := corev1.Service{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: meta}
	slice := discoveryv1.EndpointSlice{
		TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"}, ObjectMeta: meta,
		AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{address}}},
	}
	for _, port := range []struct {
		name   string
		number int32
	}{{"otlp-grpc", compose.GRPCPort}, {"otlp-http", compose.HTTPPort}} {
		service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{Name: port.name, Port: port.number, TargetPort: intstr.FromInt32(port.number)})
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &port.name, Port: &port.number})
	}
	return asObjects(&service, &slice)
}

// door returns the Service that leads from the node's port to the application.
func door(all []object, name string) ([]object, error) {
	found, port, err := applicationPort(all, name)
	if err != nil {
		return nil, err
	}
	port.NodePort = nodePort
	return asObjects(&corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Name: doorName, Namespace: found.Namespace},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Selector: found.Spec.Selector, Ports: []corev1.ServicePort{port}},
	})
}

// applicationPort finds the application's Service in the manifests, and its port: the usual
// one, or else the only one.
func applicationPort(all []object, name string) (corev1.Service, corev1.ServicePort, error) {
	var none corev1.ServicePort
	var names []string
	for _, o := range all {
		if o.kind() != "Service" {
			continue
		}
		if names = append(names, o.name()); o.name() != name {
			continue
		}
		var s corev1.Service
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o, &s); err != nil {
			return s, none, fmt.Errorf("the Service %s: %w", name, err)
		}
		s.Namespace = o.namespace()
		if len(s.Spec.Selector) == 0 {
			return s, none, fmt.Errorf("the Service %s selects no pods", name)
		}
		for _, port := range s.Spec.Ports {
			if port.Port == usualPort || len(s.Spec.Ports) == 1 {
				return s, port, nil
			}
		}
		return s, none, fmt.Errorf("the Service %s has %d ports, and none is %d: requests would not know where to go", name, len(s.Spec.Ports), usualPort)
	}
	if len(names) == 0 {
		return corev1.Service{}, none, fmt.Errorf("app_service is %s, but the manifests have no Service", name)
	}
	return corev1.Service{}, none, fmt.Errorf("app_service is %s, but the manifests have the Services %s", name, strings.Join(names, ", "))
}

// asObjects returns typed objects as the manifests have them.
func asObjects(typed ...any) ([]object, error) {
	var all []object
	for _, one := range typed {
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(one)
		if err != nil {
			return nil, err
		}
		delete(fields, "status") // of which only the cluster knows something
		all = append(all, fields)
	}
	return all, nil
}
