-- Whether a deployment reached the target that was asked for: by the target's name, by that of an environment, or by both.
({target:String} = '' OR arrayExists(t -> t = {target:String} OR startsWith(t, concat({target:String}, '/')) OR endsWith(t, concat('/', {target:String})), targets))
