export const increment = value => value + 1
export const decrement = value => value - 1
export const incrementLater = async value => value + 1
