toString(service)
