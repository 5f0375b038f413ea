-- Whether the deployment that shipped a change reached the target that was asked for.
({target:String} = '' OR (service, deployment) IN (SELECT service, deployment FROM attributed_deployments FINAL WHERE {target:String} != '' AND environment = {environment:String} AND @scope AND @reached))
