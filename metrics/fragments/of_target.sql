-- Whether a run was one to the target that was asked for: by the target's name, by that of an environment, or by both.
({target:String} = '' OR target = {target:String} OR startsWith(target, concat({target:String}, '/')) OR endsWith(target, concat('/', {target:String})))
