SELECT namespace, role FROM leadguard.tag_namespace WHERE target = $1
